"""Atoms of a complex that a reduced run contains, and those of them that move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from openmm import app
from scipy.spatial import cKDTree

from ..structure.complex import Complex
from ..structure.imaging import image_shift
from ..structure.residues import WATER

SALT = frozenset("NA NA+ SOD CL CL- CLA K K+ POT".split())
"""Ions of the solution; metals that a protein may need to keep its shape are not among them."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Part of a System, in whole residues.

    Attributes
    ----------
    particles : (K,) int64
        Particle indices, increasing.
    moving : (K,) bool
        Which of `particles` move.
    positions : (K, 3) float64, nm
        Water and ions at their image nearest to the ligand, where the rest of the box is dropped.
    """

    particles: np.ndarray
    moving: np.ndarray
    positions: np.ndarray

    def places(self, particles: int) -> np.ndarray:
        """Index (particles,) int64 of every particle within `self.particles`, −1 if dropped."""
        place = np.full(particles, -1)
        place[self.particles] = np.arange(len(self.particles))
        return place


def around_ligand(complex: Complex, free: float, kept: float, water: bool = False) -> Selection:
    """Residues with an atom within a distance of an atom of the ligand.

    Residues bonded to one that moves are always kept, so that no bond, angle or torsion of a
    moving atom is lost.

    Parameters
    ----------
    complex : Complex
    free, kept : float
        nm; residues within `free` move (0: the ligand alone), those within `kept` stay.
    water : bool
        Water and salt are residues like any other; they are dropped otherwise.
    """
    positions = _solvent_near_ligand(complex) if water else complex.positions
    residue_of = np.array([atom.residue.index for atom in complex.topology.atoms()])
    solvent = is_solvent(complex.topology, complex.ligand)[residue_of] & ~np.array(water)
    distance, _ = cKDTree(positions[complex.ligand]).query(positions)
    nearest = np.full(residue_of[-1] + 1, np.inf)
    np.minimum.at(nearest, residue_of, np.where(solvent, np.inf, distance))
    nearest[residue_of[complex.ligand[0]]] = 0.0
    moving, present = nearest <= free, nearest <= kept
    present &= np.isfinite(nearest)
    for a, b in complex.topology.bonds():
        i, j = a.residue.index, b.residue.index
        if moving[i] or moving[j]:
            present[[i, j]] = True
    selected = np.flatnonzero(present[residue_of])
    return Selection(selected, moving[residue_of[selected]], positions[selected])


def is_solvent(topology: app.Topology, ligand: np.ndarray) -> np.ndarray:
    """Mask (residues,) bool of water and salt, which never includes the ligand."""
    solvent = np.array([residue.name in WATER | SALT for residue in topology.residues()])
    atoms = list(topology.atoms())
    solvent[atoms[ligand[0]].residue.index] = False
    return solvent


def _solvent_near_ligand(complex: Complex) -> np.ndarray:
    """Positions with every molecule of water and every ion at its image nearest to the ligand."""
    positions = complex.positions.copy()
    if complex.box is None:
        return positions
    centre = positions[complex.ligand].mean(axis=0)
    solvent = is_solvent(complex.topology, complex.ligand)
    for residue in complex.topology.residues():
        if solvent[residue.index]:
            atoms = [atom.index for atom in residue.atoms()]
            positions[atoms] -= image_shift(positions[atoms[:1]] - centre, complex.box)
    return positions


def without_solvent(complex: Complex) -> np.ndarray:
    """Particle indices of everything but water and salt."""
    solvent = is_solvent(complex.topology, complex.ligand)
    return np.array([a.index for a in complex.topology.atoms() if not solvent[a.residue.index]])


def written_atoms(complex: Complex, write: str) -> np.ndarray:
    """Particle indices whose coordinates a trajectory keeps; `write` is 'solute' or 'all'."""
    if write == "solute":
        return without_solvent(complex)
    return np.arange(complex.topology.getNumAtoms())


def part_of_topology(topology: app.Topology, kept: np.ndarray) -> app.Topology:
    """Topology of some atoms, renumbered from 0; box, names and residue numbers stay.

    A gap starts another chain of the same name: a reader of PDB would bond across it.
    """
    part, atoms, wanted = app.Topology(), {}, set(kept.tolist())
    part.setPeriodicBoxVectors(topology.getPeriodicBoxVectors())
    for chain in topology.chains():
        target, last = None, -2
        for residue in chain.residues():
            own = [atom for atom in residue.atoms() if atom.index in wanted]
            if not own:
                continue
            if target is None or residue.index != last + 1:
                target = part.addChain(chain.id)
            last = residue.index
            copy = part.addResidue(residue.name, target, residue.id, residue.insertionCode)
            for atom in own:
                atoms[atom.index] = part.addAtom(atom.name, atom.element, copy, atom.id)
    for bond in topology.bonds():
        if bond[0].index in atoms and bond[1].index in atoms:
            a, b = atoms[bond[0].index], atoms[bond[1].index]
            part.addBond(a, b, bond.type, bond.order)
    return part
