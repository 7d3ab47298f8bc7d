"""Search for ligand and protein in a structure, each in one piece, and how near they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from openmm import app, unit
from openmm.app.topology import Residue

from .cell import SMALLEST_BOX
from .imaging import make_whole, minimum_image, spanning_tree
from .ligand import find_ligand
from .readers import Structure
from .residues import Backbone, find_backbone

if TYPE_CHECKING:
    from .complex import Complex


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a structure that a complex consists of.

    Attributes
    ----------
    residue : Residue
        The ligand.
    ligand : (L,) int64
        Particle indices of its atoms, increasing.
    backbone : Backbone
    positions : (N, 3) float64, nm
        Protein and ligand in one piece; other molecules where they were.
    """

    residue: Residue
    ligand: np.ndarray
    backbone: Backbone
    positions: np.ndarray


def find_parts(structure: Structure, selection: str | None) -> Parts:
    """Find ligand and protein.

    Parameters
    ----------
    structure : Structure
        After `checks.check_structure`.
    selection : str or None
        See `find_ligand`.

    Raises
    ------
    InputError
        There is no ligand or no protein, or more than one residue can be the ligand.
    """
    topology, positions = structure.topology, structure.positions
    box = box_vectors(topology)
    residue = find_ligand(topology, positions, selection, box)
    backbone = find_backbone(topology, positions, residue.index, box)
    ligand = np.array([atom.index for atom in residue.atoms()], dtype=np.int64)
    if box is not None:
        positions = whole_molecules(topology, positions, backbone.atoms, ligand, box)
    return Parts(residue, ligand, backbone, positions)


def box_vectors(topology: app.Topology) -> np.ndarray | None:
    """Box vectors as rows, (3, 3) float64 nm; None without a box, or with a placeholder of one."""
    vectors = topology.getPeriodicBoxVectors()
    if vectors is None:
        return None
    box = np.array(vectors.value_in_unit(unit.nanometer), dtype=np.float64)
    return box if np.linalg.norm(box, axis=1).min() >= SMALLEST_BOX else None


def whole_molecules(
    topology: app.Topology,
    positions: np.ndarray,
    backbone: np.ndarray,
    ligand: np.ndarray,
    box: np.ndarray,
) -> np.ndarray:
    """Protein and ligand in one piece; every atom of an amino acid beside its own CA."""
    points = np.concatenate([backbone[:, 1], ligand])
    tree = spanning_tree(positions[points], box)
    whole = positions.copy()
    whole[points] = make_whole(positions[points][None], tree, box)[0]
    residue_of = [atom.residue for atom in topology.atoms()]
    for alpha in backbone[:, 1]:
        atoms = [atom.index for atom in residue_of[alpha].atoms()]
        whole[atoms] = whole[alpha] + minimum_image(whole[atoms] - whole[alpha], box)
    return whole


def nearest_alpha(
    complex: Complex, positions: np.ndarray, box: np.ndarray | None
) -> tuple[float, int]:
    """Shortest distance in nm from a ligand heavy atom to a Cα, and that atom's particle index."""
    ligand, alpha = positions[complex.ligand_heavy], positions[complex.backbone[:, 1]]
    distances = np.linalg.norm(minimum_image(ligand[:, None] - alpha, box), axis=-1).min(axis=1)
    atom = int(distances.argmin())
    return float(distances[atom]), int(complex.ligand_heavy[atom])
