"""The ligand's chemistry, from an SDF: bond orders, formal charges, stereo, hydrogens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from ..errors import InputError, one_line, shown
from ..structure.readers import existing
from ..units import to_nm
from ..utils.files import read_text

RESIDUE = "LIG"
"""Name of the ligand's residue in every prepared complex."""

ELEMENTS = frozenset("H C N O F P S Cl Br I".split())
"""What GAFF2 has parameters for."""

_LENGTHS = {
    Chem.BondType.SINGLE: (1.42, 1.75),
    Chem.BondType.DOUBLE: (1.20, 1.48),
    Chem.BondType.TRIPLE: (1.10, 1.32),
}
"""Å between two carbons; single bonds between two sp3 carbons only.  Wide, as poses are coarse."""


@dataclass(frozen=True, eq=False)
class Ligand:
    """A small molecule in its pose.

    Attributes
    ----------
    molecule : rdkit Mol
        Sanitised, every hydrogen an atom, one conformer (Å), stereo assigned from it.
    name : str
        The molecule's title in the SDF.
    added_hydrogens : int
        How many the file did not have.
    """

    molecule: Chem.Mol
    name: str
    added_hydrogens: int = 0

    @property
    def charge(self) -> int:
        """Formal charge."""
        return Chem.GetFormalCharge(self.molecule)

    @cached_property
    def elements(self) -> list[str]:
        """Symbols, one per atom."""
        return [atom.GetSymbol() for atom in self.molecule.GetAtoms()]

    @cached_property
    def atom_names(self) -> list[str]:
        """Unique names, one per atom: C1, C2, H1, ..."""
        count: Counter[str] = Counter()
        names = []
        for symbol in self.elements:
            count[symbol] += 1
            names.append(f"{symbol}{count[symbol]}")
        return names

    @cached_property
    def bonds(self) -> list[tuple[int, int, int]]:
        """Atom, atom, order; aromatic rings in one of their Kekulé forms."""
        molecule = Chem.Mol(self.molecule)
        Chem.Kekulize(molecule, clearAromaticFlags=True)
        return [
            (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble()))
            for b in molecule.GetBonds()
        ]

    @cached_property
    def positions(self) -> np.ndarray:
        """Positions (L, 3) float64, nm."""
        return to_nm(np.asarray(self.molecule.GetConformer().GetPositions(), dtype=np.float64))

    @property
    def formula(self) -> str:
        """Hill formula with charge."""
        return CalcMolFormula(self.molecule)

    @property
    def smiles(self) -> str:
        """Canonical, with stereo, hydrogens implicit."""
        return Chem.MolToSmiles(Chem.RemoveHs(self.molecule))


def read_ligand(sdf: str | Path, name: str | None = None) -> Ligand:
    """Read one molecule of an SDF, checked.

    Parameters
    ----------
    sdf : path
    name : str, optional
        The molecule's title, or its number counted from 1.  May be left out when the file holds
        one molecule only.

    Raises
    ------
    InputError
        No such molecule; bond orders, charges or hydrogens that cannot be; an element without
        parameters; several pieces; no three-dimensional coordinates.
    """
    path = existing(sdf)
    molecules = titled(path)
    molecule, title = molecules[chosen(path, [title for _, title in molecules], name)]
    title = title or path.stem
    return checked(molecule, title, f"{path.name}: molecule {title!r}")


def checked(molecule: Chem.Mol | None, title: str, where: str) -> Ligand:
    """Build the ligand from an unsanitised molecule of a file, see `read_ligand`.

    Parameters
    ----------
    molecule : rdkit Mol or None
        None, as RDKit gives it, is a molecule that it cannot read.
    title : str
    where : str
        File and molecule, for messages.

    Raises
    ------
    InputError
    """
    if molecule is None:
        raise InputError(
            f"{where} cannot be read: a line of it is damaged, or has an element that does "
            "not exist"
        )
    _check_atoms(molecule, where)
    _sanitise(molecule, where)
    hydrogens = molecule.GetNumAtoms()
    molecule = _with_hydrogens(molecule, where)
    _check_lengths(molecule, where)
    Chem.AssignStereochemistryFrom3D(molecule)
    return Ligand(molecule, title, molecule.GetNumAtoms() - hydrogens)


def write_sdf(ligand: Ligand, path: Path) -> None:
    """Write the ligand as an SDF of one molecule."""
    molecule = Chem.Mol(ligand.molecule)
    molecule.SetProp("_Name", ligand.name)
    with Chem.SDWriter(str(path)) as writer:
        writer.write(molecule)


def titled(path: Path) -> list[tuple[Chem.Mol | None, str]]:
    """Every molecule of an SDF, not sanitised, and its title; None for one that is damaged."""
    with rdBase.BlockLogs():
        supplier = Chem.SDMolSupplier()
        supplier.SetData(read_text(path), sanitize=False, removeHs=False)
        texts = [supplier.GetItemText(i) for i in range(len(supplier))]
        molecules = [supplier[i] for i in range(len(supplier))]
    pairs = zip(molecules, texts, strict=True)
    return [(m, (t.splitlines() or [""])[0].strip()) for m, t in pairs if t.strip(" \t\r\n$")]


def chosen(path: Path, titles: Sequence[str], name: str | None) -> int:
    """Find the molecule that a title or a number from 1 names; return its number from 0.

    Raises
    ------
    InputError
        None or several fit.
    """
    if not titles:
        raise InputError(f"cannot read {path.name}: it holds no molecule; is it an SDF file?")
    fits = [i for i, title in enumerate(titles) if name in (None, title)]
    if not fits and name is not None and name.isdecimal() and 0 < int(name) <= len(titles):
        fits = [int(name) - 1]
    if not fits:
        raise InputError(f"{path.name} holds no molecule {name!r}; it holds {shown(titles)}")
    if len(fits) > 1:
        raise InputError(
            f"{path.name} holds {len(fits)} molecules that fit: "
            f"{shown(titles[i] for i in fits)}; choose one by name or number (--ligand)"
        )
    return fits[0]


def _check_atoms(molecule: Chem.Mol, where: str) -> None:
    unknown = [
        f"{atom.GetSymbol()} (atom {atom.GetIdx() + 1})"
        for atom in molecule.GetAtoms()
        if atom.GetSymbol() not in ELEMENTS
    ]
    if unknown:
        raise InputError(
            f"{where} has elements that GAFF2 has no parameters for: {shown(unknown)}; "
            "bring your own parameters (neuralmd prepare SYSTEM.xml STRUCTURE.pdb)"
        )
    pieces = len(Chem.GetMolFrags(molecule))
    if pieces > 1:
        raise InputError(
            f"{where} is {pieces} molecules in one; keep the ligand alone (no counter-ions)"
        )
    if not molecule.GetNumConformers() or not molecule.GetConformer().GetPositions()[:, 2].any():
        raise InputError(f"{where} has no three-dimensional coordinates; give its docked pose")


def _sanitise(molecule: Chem.Mol, where: str) -> None:
    try:
        with rdBase.BlockLogs():
            Chem.SanitizeMol(molecule)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"{where} has wrong bond orders or charges: {one_line(error)}; "
            "write it again from a source that has them"
        ) from error
    radicals = [a.GetIdx() + 1 for a in molecule.GetAtoms() if a.GetNumRadicalElectrons()]
    if radicals:
        raise InputError(f"{where}: atom {radicals[0]} is a radical; mend its bonds or charge")


def _with_hydrogens(molecule: Chem.Mol, where: str) -> Chem.Mol:
    """Add hydrogens where the file has none, or polar ones only.

    One missing among others is a sign of wrong bond orders: nothing is added then.
    """
    lacking = [atom for atom in molecule.GetAtoms() if atom.GetTotalNumHs()]
    if not lacking:
        return molecule
    on_carbon = any(
        neighbour.GetAtomicNum() == 1
        for atom in molecule.GetAtoms()
        if atom.GetAtomicNum() == 6
        for neighbour in atom.GetNeighbors()
    )
    if on_carbon:
        atom = lacking[0]
        raise InputError(
            f"{where} has wrong bond orders, or not all its hydrogens: atom {atom.GetIdx() + 1} "
            f"({atom.GetSymbol()}) would take {atom.GetTotalNumHs()} more; mend the SDF, or "
            "remove all hydrogens to have them added"
        )
    return Chem.AddHs(molecule, addCoords=True)


def _check_lengths(molecule: Chem.Mol, where: str) -> None:
    """Bond orders that the distances contradict: aromatic rings written as single bonds."""
    points = molecule.GetConformer().GetPositions()
    for bond in molecule.GetBonds():
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        order = bond.GetBondType()
        if {atom.GetAtomicNum() for atom in ends} != {6} or order not in _LENGTHS:
            continue
        sp3 = all(atom.GetHybridization() == Chem.HybridizationType.SP3 for atom in ends)
        if order == Chem.BondType.SINGLE and not sp3:
            continue
        i, j = (atom.GetIdx() for atom in ends)
        length = float(np.linalg.norm(points[i] - points[j]))
        low, high = _LENGTHS[order]
        if not low < length < high:
            raise InputError(
                f"{where} has wrong bond orders or a distorted pose: the {order.name.lower()} "
                f"bond C{i + 1}–C{j + 1} is {length:.2f} Å long"
            )
