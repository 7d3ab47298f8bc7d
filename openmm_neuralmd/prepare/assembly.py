"""Protein and ligand in one Topology, and the ligand's place in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from openmm import app, unit
from openmm.app.element import Element
from rdkit import Chem

from ..structure.complex import Complex
from ..units import to_angstrom
from . import soundness
from .chemistry import RESIDUE, Ligand
from .protein import ProteinOptions, complete_protein, positions_of


def assemble(
    protein: str | Path, ligand: Ligand, options: ProteinOptions, tell: Callable[[str], None]
) -> tuple[app.Modeller, Complex]:
    """The completed protein with the ligand as its last residue, checked; the same as a Complex.

    Raises
    ------
    InputError
        See `complete_protein` and `Complex`: a covalent or overlapping ligand, say; or it is not
        in the pocket at all.
    """
    heavy = ligand.positions[[symbol != "H" for symbol in ligand.elements]]
    completed = complete_protein(protein, heavy, options, tell)
    soundness.check_in_pocket(completed.topology, positions_of(completed), heavy)
    if ligand.added_hydrogens:
        tell(f"hydrogens added to the ligand: {ligand.added_hydrogens} (protonation of the SDF)")
    completed.add(ligand_topology(ligand), ligand.positions * unit.nanometer)
    # The checks of every complex: overlaps, covalent ligand, backbone.
    complex = Complex.from_openmm(
        completed.topology, positions_of(completed), ligand=RESIDUE, name=Path(protein).name
    )
    return completed, complex


def ligand_topology(ligand: Ligand) -> app.Topology:
    """A Topology of one residue, in a chain of its own, with bond orders."""
    topology = app.Topology()
    residue = topology.addResidue(RESIDUE, topology.addChain("L"), "1")
    atoms = [
        topology.addAtom(name, Element.getBySymbol(symbol), residue)
        for name, symbol in zip(ligand.atom_names, ligand.elements, strict=True)
    ]
    for i, j, order in ligand.bonds:
        topology.addBond(atoms[i], atoms[j], order=order)
    return topology


def ligand_atoms(topology: app.Topology) -> np.ndarray:
    """Particle indices (L,) of the ligand."""
    return np.array([a.index for a in topology.atoms() if a.residue.name == RESIDUE])


def ligand_sdf(ligand: Ligand, positions: np.ndarray) -> str:
    """The ligand as SDF text at positions (L, 3) in nm."""
    molecule = Chem.Mol(ligand.molecule)
    molecule.SetProp("_Name", ligand.name)
    molecule.GetConformer().SetPositions(to_angstrom(positions))
    return Chem.MolToMolBlock(molecule) + "$$$$\n"
