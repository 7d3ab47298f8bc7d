"""Hydrogens of a protein: which of the file's can stay, and which are added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import openmm
from openmm import app
from openmm.app.topology import Atom, Residue
from scipy.spatial import cKDTree

from ..errors import shown
from ..structure.residues import PROTONATION, describe
from ..units import nanometers

_SAME_PLACE = 0.08  # nm, nearer than any bond
_STANDARD = {"HI": "HIS", "HS": "HIS", "AS": "ASP", "GL": "GLU", "LY": "LYS", "CY": "CYS"}

Note = Callable[[str], None]
"""Takes one line about what was done."""


def standard_name(name: str) -> str:
    """The amino acid of a name that says its protonation; OpenMM's readers know some of them."""
    return _STANDARD[name[:2]] if name in PROTONATION else name


def add_hydrogens(
    modeller: app.Modeller,
    ph: float,
    protonation: dict[str, str],
    platform: openmm.Platform,
    note: Note,
) -> None:
    """Add missing hydrogens.

    Residues that have some keep the protonation of the file, and a name such as HIP is obeyed.

    Parameters
    ----------
    modeller : Modeller
    ph : float
        For residues of which the file says nothing.
    protonation : dict
        See `Structure`.
    platform : Platform
    note : callable
    """
    before = _count_hydrogens(modeller.topology)
    parent = {}
    for bond in modeller.topology.bonds():
        parent[bond[0]], parent[bond[1]] = bond[1], bond[0]
    variants, obeyed = [], []
    for residue in modeller.topology.residues():
        place = f"{residue.chain.id.strip()}:{residue.id}{residue.insertionCode.strip()}"
        variant = _variant(residue, parent)
        name = protonation.get(place)
        bare = not any(a.element is not None and a.element.symbol == "H" for a in residue.atoms())
        if name is not None and bare and residue.name in _STANDARD.values():
            variant = PROTONATION[name]
            obeyed.append(f"{name} {place}")
        variants.append(variant)
    if obeyed:
        note(f"protonation taken from residue names: {shown(obeyed)}")
    _leave_misplaced(modeller, parent, note)
    modeller.addHydrogens(pH=ph, variants=variants, platform=platform)
    added = _count_hydrogens(modeller.topology) - before
    where = f" (protonation at pH {ph:g})" if not before else ""
    note(f"hydrogens: {before} from the file, {added} added{where}")


def _leave_misplaced(modeller: app.Modeller, parent: dict[Atom, Atom], note: Note) -> None:
    """Remove hydrogens that are misplaced; they are added again later.

    These lie upon another atom, or have a name that the residue does not know (H11 for H, HD1 for
    HD21).  Those that tell the protonation stay: on other elements than carbon where atoms overlap,
    and in residues of several protonation states.
    """
    atoms = list(modeller.topology.atoms())
    pairs = cKDTree(nanometers(modeller.positions)).query_pairs(_SAME_PLACE)
    overlapping = {
        atoms[i]
        for i in {i for pair in pairs for i in pair}
        if _is_hydrogen(atoms[i]) and _element_of(parent, atoms[i]) is app.element.carbon
    }
    unknown = {
        atom
        for atom in atoms
        if _is_hydrogen(atom)
        and atom.residue.name in _HYDROGEN_NAMES
        and atom.name not in _HYDROGEN_NAMES[atom.residue.name]
        and (atom.residue.name not in _STANDARD.values() or _name_of(parent, atom) == "N")
    }
    if overlapping:
        note(f"overlapping hydrogens replaced: {len(overlapping)}")
    if unknown:
        named = shown(f"{a.name} of {describe(a.residue)}" for a in atoms if a in unknown)
        note(f"hydrogens with unknown names replaced: {named}")
    if overlapping or unknown:
        modeller.delete(list(overlapping | unknown))


def _is_hydrogen(atom: Atom) -> bool:
    return atom.element is not None and atom.element.symbol == "H"


def _element_of(parent: dict[Atom, Atom], atom: Atom) -> app.element.Element | None:
    return parent[atom].element if atom in parent else None


def _name_of(parent: dict[Atom, Atom], atom: Atom) -> str | None:
    return parent[atom].name if atom in parent else None


def _hydrogen_names() -> dict[str, set[str]]:
    """Names of the hydrogens of each standard amino acid, as OpenMM adds them."""
    path = Path(app.__file__).parent / "data" / "hydrogens.xml"
    return {
        residue.attrib["name"]: {h.attrib["name"] for h in residue.findall("H")}
        for residue in Xml.parse(path).getroot().findall("Residue")
    }


_HYDROGEN_NAMES = {
    name: names | {"H", "H2", "H3", "HXT"} for name, names in _hydrogen_names().items()
}


def _count_hydrogens(topology: app.Topology) -> int:
    return sum(a.element is not None and a.element.symbol == "H" for a in topology.atoms())


def _variant(residue: Residue, parent: dict[Atom, Atom]) -> str | list[tuple[str, str]] | None:
    """Variant for OpenMM, so that it adds no hydrogen that the file omits on purpose."""
    hydrogens = [a for a in residue.atoms() if a.element is not None and a.element.symbol == "H"]
    names = {atom.name for atom in hydrogens}
    if not names:
        return None
    if residue.name == "CYS":  # a thiolate or half a disulfide: both lack HG
        return None if "HG" in names else "CYX"
    if residue.name == "LYS" and len(names & {"HZ1", "HZ2", "HZ3"}) == 2:
        return [(atom.name, parent[atom].name) for atom in hydrogens if atom in parent]
    acid = {"ASP": ({"HD1", "HD2"}, "ASP"), "GLU": ({"HE1", "HE2"}, "GLU")}
    protons, name = acid.get(residue.name, (set(), None))
    return None if names & protons else name
