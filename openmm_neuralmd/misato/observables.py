"""MISATO's observables of every snapshot, computed from the coordinates.

MISATO's own numbers came from pytraj with selections and radii that its paper and code do not say;
the definitions here are stated in each function and travel with the file as attributes.
"""

from __future__ import annotations

import mdtraj
import numpy as np
from scipy.spatial import cKDTree

from ..structure.imaging import superpose
from ..units import to_nm

DEFINITIONS = {
    "frames_rmsd_ligand": "Å; ligand heavy atoms against the first snapshot, superposed on Cα",
    "frames_distance": "Å; between the centres of mass of the ligand and of all other molecules",
    "frames_bSASA": "Å²; SASA(receptor) + SASA(ligand) - SASA(complex), Shrake-Rupley, probe 1.4 Å",
    "frames_interaction_energy": "kcal/mol (MM/GBSA in MISATO); not computed here, NaN",
}

_PROBE = 0.14  # nm
_POINTS = 240
_REACH = 0.7  # nm, at least 2 (r + probe): atoms farther apart cover no point of space together


def ligand_rmsd(
    snapshots: np.ndarray, reference: np.ndarray, alphas: np.ndarray, ligand: np.ndarray
) -> np.ndarray:
    """RMSD (T,) of `ligand` atoms against `reference` (N, 3) after superposition on `alphas`, Å."""
    rotation, translation = superpose(snapshots[:, alphas], reference[alphas])
    moved = np.einsum("tai,tij->taj", snapshots[:, ligand], rotation) + translation[:, None]
    return np.sqrt(((moved - reference[ligand]) ** 2).sum(axis=-1).mean(axis=-1))


def centre_distance(snapshots: np.ndarray, masses: np.ndarray, ligand: np.ndarray) -> np.ndarray:
    """Distance (T,) between the centres of mass of the ligand and of everything else, Å."""
    inside = np.zeros(len(masses), dtype=bool)
    inside[ligand] = True
    centres = [
        np.average(snapshots[:, part], axis=1, weights=masses[part]) for part in (inside, ~inside)
    ]
    return np.linalg.norm(centres[0] - centres[1], axis=-1)


def buried_area(snapshots: np.ndarray, topology: mdtraj.Topology, ligand: np.ndarray) -> np.ndarray:
    """Solvent-accessible area (T,) that ligand and receptor bury between them, both sides, Å².

    Only receptor atoms near the ligand are looked at, which is exact: a point the ligand covers is
    within r + probe of it, and so within 2 (r + probe) is every other atom that covers the point.
    """
    inside = np.zeros(topology.n_atoms, dtype=bool)
    inside[ligand] = True
    return np.array([_buried(to_nm(points), topology, inside) for points in snapshots])


def _buried(points: np.ndarray, topology: mdtraj.Topology, inside: np.ndarray) -> float:
    near = cKDTree(points[inside]).query(points)[0] < _REACH
    neighbours = np.flatnonzero(near | inside)
    of_ligand = inside[neighbours]
    whole = mdtraj.Trajectory(points[neighbours], topology.subset(neighbours))
    parts = [whole.atom_slice(np.flatnonzero(part)) for part in (of_ligand, ~of_ligand)]
    alone = sum(_area(part) for part in parts if part.n_atoms)
    return 100 * (alone - _area(whole))


def _area(part: mdtraj.Trajectory) -> float:
    areas = mdtraj.shrake_rupley(part, probe_radius=_PROBE, n_sphere_points=_POINTS)
    return float(areas.sum())
