"""GAFF2 atom types of a ligand by simple rules: what `atoms_type` needs when no one knows better.

antechamber decides by far longer rules (rings of five, conjugation, three-membered rings).  These
here separate elements, hybridisation, aromaticity and what a hydrogen is bonded to; files say so
in the attribute `ligand_types`.  Types from a prmtop can be given instead.
"""

from __future__ import annotations

from rdkit import Chem

_HALOGEN = {9: "f", 17: "cl", 35: "br", 53: "i"}
_WITHDRAWING = {7, 8, 9, 16, 17, 35, 53}
_ON_HETERO = {7: "hn", 8: "ho", 15: "hp", 16: "hs"}
_DOUBLE = Chem.BondType.DOUBLE


def approximate_types(molecule: Chem.Mol) -> list[str]:
    """A GAFF2 type for each atom of a molecule with bond orders and hydrogens.

    An element without a type in MISATO's table gets '', for the caller to refuse.
    """
    return [_type(atom) for atom in molecule.GetAtoms()]


def _type(atom: Chem.Atom) -> str:
    number = atom.GetAtomicNum()
    if number in _HALOGEN:
        return _HALOGEN[number]
    rule = {1: _hydrogen, 6: _carbon, 7: _nitrogen, 8: _oxygen, 15: lambda _: "p5", 16: _sulphur}
    return rule[number](atom) if number in rule else ""


def _hydrogen(atom: Chem.Atom) -> str:
    neighbours = atom.GetNeighbors()
    if not neighbours:
        return "hc"
    parent = neighbours[0]
    if parent.GetAtomicNum() != 6:
        return _ON_HETERO.get(parent.GetAtomicNum(), "hc")
    around = [n for n in parent.GetNeighbors() if n.GetAtomicNum() in _WITHDRAWING]
    if parent.GetIsAromatic() or _unsaturated(parent):
        return ("ha", "h4", "h5")[min(len(around), 2)]
    if parent.GetDegree() == 2:
        return "ha"
    if any(n.GetFormalCharge() > 0 for n in around):
        return "hx"
    return ("hc", "h1", "h2", "h3")[min(len(around), 3)]


def _carbon(atom: Chem.Atom) -> str:
    if atom.GetIsAromatic():
        return "ca"
    if atom.GetDegree() == 2:
        return "c1"
    if any(other.GetAtomicNum() in (8, 16) for other in _double_partners(atom)):
        return "c"
    return "c2" if _unsaturated(atom) else "c3"


def _nitrogen(atom: Chem.Atom) -> str:
    neighbours = atom.GetNeighbors()
    if atom.GetDegree() == 4:
        return "n4"
    if atom.GetIsAromatic():
        return "na" if atom.GetDegree() == 3 else "nb"
    if sum(n.GetAtomicNum() == 8 and n.GetDegree() == 1 for n in neighbours) == 2:
        return "no"
    if any(_carbon(n) == "c" for n in neighbours if n.GetAtomicNum() == 6):
        return "n"
    if atom.GetDegree() == 1:
        return "n1"
    if _unsaturated(atom):
        return "n2"
    return "nh" if any(n.GetIsAromatic() or _unsaturated(n) for n in neighbours) else "n3"


def _oxygen(atom: Chem.Atom) -> str:
    if any(n.GetAtomicNum() == 1 for n in atom.GetNeighbors()):
        return "oh"
    return "os" if atom.GetDegree() == 2 else "o"


def _sulphur(atom: Chem.Atom) -> str:
    if any(n.GetAtomicNum() == 1 for n in atom.GetNeighbors()):
        return "sh"
    return {1: "s", 2: "ss", 3: "s4"}.get(atom.GetDegree(), "s6")


def _double_partners(atom: Chem.Atom) -> list[Chem.Atom]:
    return [b.GetOtherAtom(atom) for b in atom.GetBonds() if b.GetBondType() == _DOUBLE]


def _unsaturated(atom: Chem.Atom) -> bool:
    return bool(_double_partners(atom))
