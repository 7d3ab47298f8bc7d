"""A complex in MISATO's order and codes: Amber's atom order, no solvent, the ligand last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from openmm.app.topology import Residue

from ..errors import InputError, shown
from ..structure.bonds import perceive_bonds
from ..structure.complex import Complex
from ..structure.residues import (
    IONS,
    PARENT,
    WATER,
    describe,
)
from ..units import to_angstrom
from .chemistry import perceive
from .codes import element_code, residue_code, type_code
from .gaff import approximate_types
from .templates import Template, heavy_templates, templates

SOLVENT = WATER | IONS
_PEPTIDE = 0.2  # nm
_CHARMM = {"OT1": "O", "OT2": "OXT"}


@dataclass(frozen=True)
class LigandCodes:
    """Types and residue names of a ligand's atoms, which a PDB file cannot hold.

    Attributes
    ----------
    types : tuple of str
        Atom types, GAFF2 or (in a peptide) ff14SB.
    residues : tuple of str
        Residue name of each atom, 'MOL' unless the ligand is a peptide.

    Examples
    --------
    >>> from openmm_neuralmd.misato import LigandCodes
    >>> LigandCodes(types=("ca", "ca", "ha"), residues=("MOL",) * 3).types[2]
    'ha'
    """

    types: tuple[str, ...]
    residues: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """MISATO's arrays of one complex.

    Attributes
    ----------
    order : (M,) int64
        The complex's particle of each atom of the entry.
    number, element, residue, type : (M,) int64
    begins : (K,) int64
    ligand_types : str
        'given' or 'approximate', see `gaff`.
    """

    order: np.ndarray
    number: np.ndarray
    element: np.ndarray
    residue: np.ndarray
    type: np.ndarray
    begins: np.ndarray
    ligand_types: str


@dataclass(frozen=True)
class _Part:
    """Atoms of a residue in the order due, with their codes."""

    atoms: list[int]
    types: Sequence[str]
    residues: Sequence[str]


def layout_of(complex: Complex, ligand: LigandCodes | None = None) -> Layout:
    """The complex without water and ions, in MISATO's layout.

    A molecule begins where a residue is not peptide-bonded to the one before it.

    Raises
    ------
    InputError
        An amino acid that is no residue of Amber's ff14SB, or an element MISATO has no type for.
    """
    own = complex.ligand.tolist()
    parts: list[_Part] = []
    begins: list[int] = []
    previous: Residue | None = None
    count = 0
    for residue in complex.topology.residues():
        atoms = [atom.index for atom in residue.atoms()]
        if residue.name in SOLVENT or atoms == own:
            previous = None
            continue
        first = previous is None or not _joined(complex, previous, residue)
        if first:
            begins.append(count)
        part = _protein_part(residue, complex.positions, first) or _other_part(complex, residue)
        parts.append(part)
        count += len(part.atoms)
        previous = residue
    begins.append(count)
    parts.append(_ligand_part(complex, ligand))
    return _joined_layout(complex, parts, begins, "given" if ligand else "approximate")


def solute(complex: Complex) -> np.ndarray:
    """Particles of everything but water and ions: what an entry holds, in the complex's order."""
    residues = (r for r in complex.topology.residues() if r.name not in SOLVENT)
    return np.array([atom.index for r in residues for atom in r.atoms()], dtype=np.int64)


def _joined_layout(
    complex: Complex, parts: list[_Part], begins: list[int], ligand_types: str
) -> Layout:
    order = [i for part in parts for i in part.atoms]
    atoms = list(complex.topology.atoms())
    numbers = [atoms[i].element.atomic_number for i in order]
    types = [type_code(kind) for part in parts for kind in part.types]
    if 0 in types:
        bad = atoms[order[types.index(0)]]
        raise InputError(
            f"{complex.name}: atom {bad.name} ({bad.element.symbol}) of {describe(bad.residue)} "
            "has no atom type in MISATO's layout, which knows no metals; remove its residue"
        )
    return Layout(
        np.array(order, dtype=np.int64),
        np.array(numbers, dtype=np.int64),
        np.array([element_code(number) for number in numbers], dtype=np.int64),
        np.array([residue_code(n) for part in parts for n in part.residues], dtype=np.int64),
        np.array(types, dtype=np.int64),
        np.array(begins, dtype=np.int64),
        ligand_types,
    )


def _joined(complex: Complex, before: Residue, after: Residue) -> bool:
    """Test whether C of one residue is bonded to N of the next."""
    ends = [a.index for a in before.atoms() if a.name == "C"]
    starts = [a.index for a in after.atoms() if a.name == "N"]
    if not ends or not starts or before.chain is not after.chain:
        return False
    gap = complex.positions[ends[0]] - complex.positions[starts[0]]
    return bool(np.linalg.norm(gap) < _PEPTIDE)


def _protein_part(residue: Residue, positions: np.ndarray, first: bool) -> _Part | None:
    """Atoms in Amber's order; None for a residue that MISATO has no code for."""
    parent = PARENT.get(residue.name, residue.name)
    family = [
        (whole, heavy)
        for whole, heavy in zip(templates(), heavy_templates(), strict=True)
        if PARENT.get(whole.name, whole.name) == parent and residue_code(whole.name)
    ]
    if not family:
        return None
    heavy = {
        _CHARMM.get(atom.name, atom.name): atom.index
        for atom in residue.atoms()
        if atom.element.symbol != "H"
    }
    hydrogens = _hydrogens(residue, positions)
    # The name in the file decides between forms with the same atoms; then the place in the chain.
    family.sort(key=lambda pair: (pair[0].name != residue.name, (pair[0].end == "N") != first))
    for whole, bare in family:
        if set(bare.atoms) != set(heavy):
            continue
        if not hydrogens:
            return _Part([heavy[a] for a in bare.atoms], bare.types, [bare.name] * len(heavy))
        atoms = _arrange(whole, heavy, hydrogens)
        if atoms is not None:
            return _Part(atoms, whole.types, [whole.name] * len(atoms))
    raise InputError(
        f"{describe(residue)} has not the atoms of any form of {parent} in Amber's ff14SB (it has "
        f"{shown(sorted(heavy), 16)} and {sum(map(len, hydrogens.values()))} hydrogens); complete "
        "it with PDBFixer, or remove all hydrogens of the protein"
    )


def _hydrogens(residue: Residue, positions: np.ndarray) -> dict[str, list[int]]:
    """Heavy atom's name to its hydrogens: by the topology's bonds, or else the nearest.

    OpenMM's standard bonds do not know every protonation state, and in a hot snapshot a hydrogen
    may be nearer to its parent's neighbour than to its parent; so neither alone is enough.
    """
    heavy = [atom for atom in residue.atoms() if atom.element.symbol != "H"]
    places = positions[[atom.index for atom in heavy]]
    parents = {
        child.index: parent.name
        for bond in residue.bonds()
        for parent, child in ((bond[0], bond[1]), (bond[1], bond[0]))
        if parent.element.symbol != "H" and parent.residue is residue
    }
    hydrogens: dict[str, list[int]] = {}
    for atom in residue.atoms():
        if atom.element.symbol == "H":
            nearest = np.linalg.norm(places - positions[atom.index], axis=1).argmin()
            parent = parents.get(atom.index, heavy[nearest].name)
            hydrogens.setdefault(parent, []).append(atom.index)
    return hydrogens


def _arrange(
    template: Template, heavy: dict[str, int], hydrogens: dict[str, list[int]]
) -> list[int] | None:
    """Atoms in the template's order, or None where a heavy atom has another count of hydrogens."""
    places = template.hydrogens
    if any(len(places[name]) != len(hydrogens.get(name, [])) for name in heavy):
        return None
    atoms = [heavy.get(name, -1) for name in template.atoms]
    for name, where in places.items():
        for place, atom in zip(where, hydrogens.get(name, []), strict=True):
            atoms[place] = atom
    return atoms


def _other_part(complex: Complex, residue: Residue) -> _Part:
    """A cofactor, cap or modified residue: types by rule, the residue code of everything else."""
    atoms = [atom.index for atom in residue.atoms()]
    numbers = np.array([atom.element.atomic_number for atom in residue.atoms()])
    positions = complex.positions[atoms]
    bonds = np.array(perceive_bonds(numbers.tolist(), positions)).reshape(-1, 2)
    chemistry = perceive(numbers, to_angstrom(positions), bonds)
    return _Part(atoms, approximate_types(chemistry.molecule), ["MOL"] * len(atoms))


def _ligand_part(complex: Complex, given: LigandCodes | None) -> _Part:
    atoms = complex.ligand.tolist()
    if given is not None:
        if not len(given.types) == len(given.residues) == len(atoms):
            raise InputError(
                f"{complex.name}: {len(given.types)} atom types and {len(given.residues)} residue "
                f"names were given for a ligand of {len(atoms)} atoms"
            )
        return _Part(atoms, given.types, given.residues)
    positions = to_angstrom(complex.positions[complex.ligand])
    chemistry = perceive(complex.ligand_atomic_numbers, positions, complex.ligand_bonds)
    return _Part(atoms, approximate_types(chemistry.molecule), ["MOL"] * len(atoms))
