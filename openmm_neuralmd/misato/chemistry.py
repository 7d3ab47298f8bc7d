"""Bond orders and charges of a ligand, which MISATO does not store, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds
from rdkit.Geometry import Point3D

PERCEIVED = "perceived by RDKit from the geometry"
KNOWN = "of the amino acids the ligand is made of"
CONNECTIVITY = "unknown: all bonds are written as single"

_CHARGES = (0, -1, 1, -2, 2, -3, 3, -4, 4)
_ITERATIONS = 100_000  # RDKit's search is exponential in the worst case

_DOUBLE = {
    "ASN": "CG=OD1", "ASP": "CG=OD1", "ASH": "CG=OD1", "GLN": "CD=OE1", "GLU": "CD=OE1",
    "GLH": "CD=OE1", "ARG": "CZ=NH1", "HIE": "CG=CD2 CE1=ND1", "HID": "CG=CD2 CE1=NE2",
    "HIP": "CG=CD2 CE1=ND1", "PHE": "CG=CD1 CE1=CZ CE2=CD2", "TYR": "CG=CD1 CE1=CZ CE2=CD2",
    "TRP": "CG=CD1 CD2=CE2 CE3=CZ3 CZ2=CH2",
}  # fmt: skip


@dataclass(frozen=True)
class Chemistry:
    """A ligand with bond orders.

    Attributes
    ----------
    molecule : rdkit.Chem.Mol
        Atoms in the ligand's order, hydrogens as they are, with one conformer.
    charge : int
        Net charge in e; 0 where bond orders are unknown.
    source : str
        Where the bond orders come from: `PERCEIVED`, `KNOWN` or `CONNECTIVITY`.
    """

    molecule: Chem.Mol
    charge: int
    source: str


def perceive(numbers: np.ndarray, positions: np.ndarray, bonds: np.ndarray) -> Chemistry:
    """Perceive bond orders by RDKit (rdDetermineBonds, after xyz2mol); try several net charges.

    Of the charges that give a molecule of full valences, the one with the fewest charged atoms is
    taken, carbanions last.  The charge so found is right for all of MISATO's 20 sample ligands;
    without hydrogens there is nothing to guess from.

    Parameters
    ----------
    numbers : (L,) atomic numbers
    positions : (L, 3), Å
    bonds : (b, 2) local indices
    """
    graph = single_bonds(numbers, positions, bonds)
    if not (np.asarray(numbers) == 1).any():
        return Chemistry(graph, 0, CONNECTIVITY)
    best: tuple[tuple[int, ...], Chem.Mol] | None = None
    for charge in _CHARGES:
        molecule = _with_charge(graph, charge)
        if molecule is None:
            continue
        atoms = list(molecule.GetAtoms())
        radicals = sum(atom.GetNumRadicalElectrons() for atom in atoms)
        charges = [(atom.GetAtomicNum() == 6, abs(atom.GetFormalCharge())) for atom in atoms]
        carbanions = sum(size for carbon, size in charges if carbon)
        score = (radicals, carbanions, sum(size for _, size in charges), abs(charge))
        if best is None or score < best[0]:
            best = score, molecule
    if best is None or best[0][0]:
        return Chemistry(graph, 0, CONNECTIVITY)
    return Chemistry(best[1], Chem.GetFormalCharge(best[1]), PERCEIVED)


def single_bonds(numbers: np.ndarray, positions: np.ndarray, bonds: np.ndarray) -> Chem.Mol:
    """The molecular graph with a conformer, every bond single."""
    molecule = Chem.RWMol()
    conformer = Chem.Conformer(len(numbers))
    for i, (number, point) in enumerate(zip(numbers, positions, strict=True)):
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    for i, j in bonds:
        molecule.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    molecule.AddConformer(conformer)
    return molecule.GetMol()


def _with_charge(graph: Chem.Mol, charge: int) -> Chem.Mol | None:
    molecule = Chem.Mol(graph)
    try:
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineBondOrders(
                molecule,
                charge=charge,
                allowChargedFragments=True,
                embedChiral=False,
                maxIterations=_ITERATIONS,
            )
            Chem.SanitizeMol(molecule)
            Chem.AssignStereochemistryFrom3D(molecule)
    except (ValueError, RuntimeError):  # RDKit: no bond orders with this charge
        return None
    return molecule if molecule.GetNumBonds() == graph.GetNumBonds() else None


def known(graph: Chem.Mol, residues: list[tuple[int, str, tuple[str, ...]]]) -> Chemistry:
    """Bond orders of a peptide: those of its amino acids.

    Parameters
    ----------
    graph : Mol
        From `single_bonds`, all hydrogens there.
    residues : list of (first atom, Amber's name, atom names)
    """
    molecule = Chem.RWMol(graph)
    for first, name, atoms in residues:
        for bond in f"C=O {_DOUBLE.get(name, '')}".split():
            i, j = bond.split("=")
            if i in atoms and j in atoms:
                present = molecule.GetBondBetweenAtoms(
                    first + atoms.index(i), first + atoms.index(j)
                )
                present.SetBondType(Chem.BondType.DOUBLE)
    for atom in molecule.GetAtoms():
        atom.SetFormalCharge(_charge(atom))
    try:
        with rdBase.BlockLogs():
            Chem.SanitizeMol(molecule)
            Chem.AssignStereochemistryFrom3D(molecule)
    except ValueError:
        return Chemistry(graph, 0, CONNECTIVITY)
    return Chemistry(molecule.GetMol(), Chem.GetFormalCharge(molecule), KNOWN)


def _charge(atom: Chem.Atom) -> int:
    """Formal charge of an atom in a peptide, from the sum of its bond orders."""
    order = round(sum(bond.GetBondTypeAsDouble() for bond in atom.GetBonds()))
    usual = {"N": 3, "O": 2, "S": 2}.get(atom.GetSymbol())
    return 0 if usual is None else order - usual
