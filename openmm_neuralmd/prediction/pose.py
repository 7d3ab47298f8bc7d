"""A protein and one ligand of an SDF as a complex, with nothing parametrised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from openmm import app, unit

from ..errors import InputError
from ..prepare.assembly import ligand_topology
from ..prepare.chemistry import RESIDUE, Ligand
from ..structure.complex import Complex
from ..structure.readers import Structure, read_structure
from ..structure.residues import WATER
from ..units import to_angstrom

FARTHEST = 6.0
"""Å from the nearest heavy atom of the protein; a pose farther away is in no pocket."""


def read_protein(path: str | Path) -> Structure:
    """Read a protein without its hydrogens, water and other small molecules in place of a ligand.

    Hydrogens are left out because the model does not see them, and files that lack or overlap
    them are as good as others.

    Raises
    ------
    InputError
        See `structure.readers.read_structure`.
    """
    structure = read_structure(path)
    modeller = app.Modeller(structure.topology, structure.positions * unit.nanometer)
    modeller.delete(
        [
            atom
            for atom in modeller.topology.atoms()
            if atom.element is None or atom.element.symbol == "H" or atom.residue.name in WATER
        ]
    )
    modeller.delete([r for r in modeller.topology.residues() if r.name == RESIDUE])
    positions = np.array(modeller.positions.value_in_unit(unit.nanometer), dtype=np.float64)
    if not len(positions):
        raise InputError(f"{path}: holds no heavy atom of a protein")
    modeller.topology.setPeriodicBoxVectors(None)
    return Structure(modeller.topology, positions)


def posed(protein: Structure, ligand: Ligand, name: str) -> Complex:
    """The complex of a protein and a ligand at the SDF's pose.

    Raises
    ------
    InputError
        The ligand overlaps the protein, or is nowhere near it.
    """
    modeller = app.Modeller(protein.topology, protein.positions * unit.nanometer)
    modeller.add(ligand_topology(ligand), ligand.positions * unit.nanometer)
    heavy = [symbol != "H" for symbol in ligand.elements]
    gaps = np.linalg.norm(ligand.positions[heavy][:, None] - protein.positions, axis=-1)
    gap = to_angstrom(gaps.min())
    if gap > FARTHEST:
        raise InputError(
            f"ligand {ligand.name!r} is {gap:.1f} Å from the protein: give a pose in "
            "the protein's frame"
        )
    positions = np.concatenate([protein.positions, ligand.positions])
    complex = Complex.from_openmm(modeller.topology, positions, ligand=RESIDUE, name=name)
    return complex.with_molecule(ligand.molecule)
