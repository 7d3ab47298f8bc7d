"""Checks of a complex before any simulation: units, overlaps, bonds, the pocket.

Each check is one function that raises `InputError`, or warns where going on makes sense.
Positions are (N, 3) in nm throughout.
"""

from __future__ import annotations

import warnings

import numpy as np
from openmm import app
from openmm.app.topology import Atom, Residue
from scipy.spatial import cKDTree

from ..errors import InputError
from ..units import to_angstrom
from .bonds import covalent_radius
from .ligand import MINIMUM_HEAVY_ATOMS
from .parts import Parts
from .readers import Structure
from .residues import (
    CAPS,
    OTHER,
    PARENT,
    WATER,
    Backbone,
    backbone_of,
    describe,
)

_N_CA = 0.146  # nm, the length of the bond N–CA
_OVERLAP = 0.05  # nm; the shortest bond there is, H–H, has 0.074
_BONDED = 1.15  # times the sum of covalent radii
_COVALENT_REACH = 0.35  # nm, beyond any bond
_POCKET = 0.5  # nm from a ligand heavy atom


class PocketWarning(UserWarning):
    """Warning: the network does not know something in the pocket, or reads it as 'other'."""


def check_structure(structure: Structure, name: str) -> None:
    """Check what has to hold before anything can be looked for."""
    check_shape(structure.topology, structure.positions, name)
    check_finite(structure.topology, structure.positions, name)


def check_parts(structure: Structure, parts: Parts, name: str) -> None:
    """Check ligand and protein, coarse faults first, so that the message names the cause."""
    topology, positions, ligand = structure.topology, parts.positions, parts.residue
    check_alternates(ligand, structure.alternates)
    check_ligand_atoms(ligand)
    check_units(parts.backbone.atoms, positions, name)
    check_overlaps(topology, positions, name)
    check_not_covalent(topology, positions, ligand)
    warn_pocket(topology, positions, ligand, parts.backbone)


def check_shape(topology: app.Topology, positions: np.ndarray, name: str) -> None:
    """Positions (N, 3), one per atom of the topology."""
    atoms = topology.getNumAtoms()
    if positions.shape != (atoms, 3):
        raise InputError(
            f"{name}: the topology has {atoms} atoms, the positions have shape "
            f"{positions.shape}; give one position per atom"
        )


def check_finite(topology: app.Topology, positions: np.ndarray, name: str) -> None:
    """Refuse positions that are NaN or infinite."""
    bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(bad):
        atom = list(topology.atoms())[bad[0]]
        raise InputError(
            f"{name}: {len(bad)} atoms have coordinates that are not numbers, "
            f"the first is {atom.name} of {describe(atom.residue)} (index {bad[0]})"
        )


def check_units(backbone: np.ndarray, positions: np.ndarray, name: str) -> None:
    """The median N–CA bond tells nm from Å; `backbone` is (R, 3) particle indices."""
    bond = np.linalg.norm(positions[backbone[:, 0]] - positions[backbone[:, 1]], axis=-1)
    median = float(np.median(bond))
    ratio = median / _N_CA
    if 0.7 < ratio < 1.4:
        return
    if 7 < ratio < 14:
        cause = "the positions are in Å where nm is due; divide by 10 or pass a Quantity"
    elif 0.07 < ratio < 0.14:
        cause = "the positions are in nm where Å is due; multiply by 10"
    else:
        cause = "these are not coordinates of this topology, or the atoms are out of order"
    raise InputError(f"{name}: the median N–CA bond is {median:.3g} nm, not {_N_CA}: {cause}")


def check_overlaps(topology: app.Topology, positions: np.ndarray, name: str) -> None:
    """Refuse two atoms in one place; virtual sites, which have no element, do not count."""
    atoms = [atom for atom in topology.atoms() if atom.element is not None]
    index = np.array([atom.index for atom in atoms])
    pairs = cKDTree(positions[index]).query_pairs(_OVERLAP, output_type="ndarray")
    if len(pairs):
        a, b = (atoms[i] for i in pairs[0])
        distance = _angstrom(positions, a, b)
        raise InputError(
            f"{name}: atoms {_atom(a)} and {_atom(b)} are {distance:.2f} Å apart "
            f"({len(pairs)} overlapping pairs); remove duplicates or minimise the structure"
        )


def check_ligand_atoms(ligand: Residue) -> None:
    """Every atom has an element, and there are enough heavy ones."""
    for atom in ligand.atoms():
        if atom.element is None:
            raise InputError(
                f"atom {_atom(atom)} has no known element; "
                "fill the element column (77–78 in PDB) of the ligand"
            )
    heavy = sum(atom.element.atomic_number > 1 for atom in ligand.atoms())
    if heavy < MINIMUM_HEAVY_ATOMS:
        raise InputError(
            f"ligand {describe(ligand)} has {heavy} of the {MINIMUM_HEAVY_ATOMS} heavy atoms "
            "it needs; is it an ion or water? choose another residue with ligand="
        )


def check_alternates(ligand: Residue, alternates: dict[str, list[str]]) -> None:
    """The pose of the ligand is the user's to choose."""
    if atoms := alternates.get(describe(ligand)):
        raise InputError(
            f"ligand {describe(ligand)} has alternate locations of {', '.join(atoms)}; "
            "keep one pose in the file"
        )


def check_not_covalent(topology: app.Topology, positions: np.ndarray, ligand: Residue) -> None:
    """Refuse a bond between ligand and protein, by the topology or by heavy-atom distances."""
    for a, b in topology.bonds():
        if (a.residue is ligand) != (b.residue is ligand):
            _refuse_covalent(a, b, positions)
    own = [a for a in ligand.atoms() if a.element.atomic_number > 1]
    near = [
        atom
        for atom in _heavy_neighbours(topology, positions, ligand, _COVALENT_REACH)
        if backbone_of(atom.residue) is not None
    ]
    for a in own:
        for b in near:
            reach = covalent_radius(a.element.atomic_number) + covalent_radius(
                b.element.atomic_number
            )
            if _angstrom(positions, a, b) < _BONDED * reach:
                _refuse_covalent(a, b, positions)


def _refuse_covalent(a: Atom, b: Atom, positions: np.ndarray) -> None:
    distance = _angstrom(positions, a, b)
    raise InputError(
        f"the ligand is bonded to its surroundings: {_atom(a)} – {_atom(b)}, {distance:.2f} Å; "
        "covalent ligands are not supported (or the pose clashes: minimise it)"
    )


def warn_pocket(
    topology: app.Topology, positions: np.ndarray, ligand: Residue, backbone: Backbone
) -> None:
    """Warn of metals, cofactors and non-standard residues within 5 Å of the ligand.

    A warning, not an error: the network sees amino acids only, but a learned trajectory beside a
    structural zinc is still worth having.  Water is passed over: it is in every crystal pocket.
    """
    own = [atom for atom in ligand.atoms() if atom.element.atomic_number > 1]
    in_protein = set(backbone.atoms[:, 1].tolist())
    nearest: dict[Residue, tuple[float, Atom]] = {}
    for atom in _heavy_neighbours(topology, positions, ligand, _POCKET):
        if atom.residue.name in PARENT or atom.residue.name in WATER | CAPS:
            continue
        distance = min(_angstrom(positions, atom, mine) for mine in own)
        if distance < nearest.get(atom.residue, (np.inf, atom))[0]:
            nearest[atom.residue] = distance, atom
    for residue, (distance, atom) in nearest.items():
        amino_acid = any(a.index in in_protein for a in residue.atoms())
        seen = f"counts as residue type '{OTHER}'" if amino_acid else "is invisible to the network"
        warnings.warn(
            f"{_atom(atom)} is {distance:.1f} Å from ligand {describe(ligand)} and {seen}",
            PocketWarning,
            stacklevel=2,
        )


def _heavy_neighbours(
    topology: app.Topology, positions: np.ndarray, ligand: Residue, reach: float
) -> list[Atom]:
    """Heavy atoms outside the ligand within `reach` nm of one of its heavy atoms."""
    own = [a.index for a in ligand.atoms() if a.element.atomic_number > 1]
    tree = cKDTree(positions)
    near = set(np.concatenate(tree.query_ball_point(positions[own], reach)).astype(int).tolist())
    return [
        atom
        for atom in topology.atoms()
        if atom.index in near
        and atom.residue is not ligand
        and atom.element is not None
        and atom.element.atomic_number > 1
    ]


def _atom(atom: Atom) -> str:
    return f"{atom.name} of {describe(atom.residue)}"


def _angstrom(positions: np.ndarray, a: Atom, b: Atom) -> float:
    return float(np.linalg.norm(to_angstrom(positions[a.index] - positions[b.index])))
