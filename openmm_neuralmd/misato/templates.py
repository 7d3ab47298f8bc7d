"""Amber's residues, atom by atom: what an entry's types spell, and in which order they are due.

MISATO's proteins were built by tleap with ff14SB, so their atoms stand in the order of Amber's
residue libraries.  OpenMM ships the same libraries as amber14/protein.ff14SB.xml; they are read
from there.  A residue starts where the pattern of the one before it ends: the only way to tell two
alanines in a row apart, since an entry has no residue numbers.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from openmm import app

from .codes import RESIDUES, residue_code, type_code

_LIBRARY = Path(app.__file__).parent / "data" / "amber14" / "protein.ff14SB.xml"
_PREFIX = "protein-"
_NO_CODE = {"CV": "CW"}
"""CD2 of HID, which MISATO's table lacks because all its histidines are HIE; CW is HIE's CD2."""


@dataclass(frozen=True)
class Template:
    """One residue in one protonation state at one place of a chain, hydrogens stripped or not.

    Attributes
    ----------
    name : str
        Amber's name without the N or C of a chain end: 'HID', 'ALA'.
    end : str
        'N' or 'C' at an end of a chain, else ''.
    atoms : tuple of str
    types : tuple of str
        Of each atom, ff14SB.
    elements : tuple of str
    bonds : tuple of pairs
        Places in `atoms`.
    charge : int
        Net charge in e.
    """

    name: str
    end: str
    atoms: tuple[str, ...]
    types: tuple[str, ...]
    elements: tuple[str, ...]
    bonds: tuple[tuple[int, int], ...]
    charge: int

    @property
    def codes(self) -> tuple[int, ...]:
        """Values of `atoms_type` for this residue."""
        return tuple(type_code(kind) for kind in self.types)

    def without_hydrogens(self) -> Template:
        """Return the template without hydrogens, for entries reduced to heavy atoms."""
        heavy = [i for i, element in enumerate(self.elements) if element != "H"]
        place = {old: new for new, old in enumerate(heavy)}
        return Template(
            self.name,
            self.end,
            tuple(self.atoms[i] for i in heavy),
            tuple(self.types[i] for i in heavy),
            tuple(self.elements[i] for i in heavy),
            tuple((place[i], place[j]) for i, j in self.bonds if i in place and j in place),
            self.charge,
        )

    @property
    def hydrogens(self) -> dict[str, tuple[int, ...]]:
        """Heavy atom to the places of its hydrogens."""
        bonded: dict[str, list[int]] = {
            atom: []
            for atom, element in zip(self.atoms, self.elements, strict=True)
            if element != "H"
        }
        for bond in self.bonds:
            for i, j in (bond, bond[::-1]):
                if self.elements[j] == "H" and self.elements[i] != "H":
                    bonded[self.atoms[i]].append(j)
        return {atom: tuple(sorted(places)) for atom, places in bonded.items()}


@cache
def templates() -> tuple[Template, ...]:
    """Every amino acid and cap of ff14SB, at chain ends and inside, complete in hydrogens."""
    root = ET.parse(_LIBRARY).getroot()
    elements = {t.get("name"): t.get("element") for t in root.iter("Type")}
    matches = []
    for residue in root.iter("Residue"):
        atoms = residue.findall("Atom")
        names = [str(atom.get("name")) for atom in atoms]
        types = [str(atom.get("type")) for atom in atoms]
        bonds = [
            (names.index(str(b.get("atomName1"))), names.index(str(b.get("atomName2"))))
            for b in residue.findall("Bond")
        ]
        template = Template(
            _short(str(residue.get("name"))),
            str(residue.get("name"))[:1] if len(str(residue.get("name"))) == 4 else "",
            tuple(names),
            tuple(_NO_CODE.get(kind, kind) for kind in map(_bare, types)),
            tuple(str(elements[kind]) for kind in types),
            tuple(bonds),
            round(sum(float(atom.get("charge", 0)) for atom in atoms)),
        )
        if all(template.codes):
            matches.append(template)
    return tuple(matches)


def _bare(kind: str) -> str:
    return kind.removeprefix(_PREFIX)


def _short(name: str) -> str:
    return name[1:] if len(name) == 4 else name


@cache
def heavy_templates() -> tuple[Template, ...]:
    """`templates` without hydrogens."""
    return tuple(template.without_hydrogens() for template in templates())


@cache
def _by_code(heavy: bool) -> dict[int, tuple[Template, ...]]:
    """Residue code to its templates; those without a code are no candidates.

    No pattern is the beginning of another, so the first that fits is the residue.
    """
    by_code: dict[int, list[Template]] = {}
    for template in heavy_templates() if heavy else templates():
        if code := residue_code(template.name):
            by_code.setdefault(code, []).append(template)
    for every in by_code.values():  # of equal patterns (CYS, CYM stripped) MISATO's name is meant
        every.sort(key=lambda template: template.name not in RESIDUES)
    return {code: tuple(every) for code, every in by_code.items()}


def match(
    types: Sequence[int], residues: Sequence[int], start: int, *, heavy: bool
) -> Template | None:
    """The residue that starts at atom `start`, by its codes; None if no template fits."""
    for template in _by_code(heavy).get(int(residues[start]), ()):
        stop = start + len(template.atoms)
        if tuple(types[start:stop]) == template.codes and len(set(residues[start:stop])) == 1:
            return template
    return None
