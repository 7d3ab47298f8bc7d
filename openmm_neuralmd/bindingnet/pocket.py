"""The fourth grain: heavy atoms of the pocket, from a PDB with or without hydrogens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray
from openmm import app
from scipy.spatial import cKDTree

from ..structure.residues import IONS, PARENT, RESIDUE_TYPES, WATER
from ..units import to_angstrom

if TYPE_CHECKING:
    from ..structure.complex import Complex

ELEMENTS = ("C", "N", "O", "S")
"""Elements with a column of their own; any other element (ions, phosphorus) shares the last."""
NEIGHBOURHOOD = 4.0
"""Å; burial is the number of heavy atoms of the protein within this distance."""
POCKET_FEATURES = (len(ELEMENTS) + 1) + 6
_BACKBONE = frozenset("N CA C O OXT".split())
_DONORS = frozenset(
    "ARG:NE ARG:NH1 ARG:NH2 ASN:ND2 GLN:NE2 HIS:ND1 HIS:NE2 LYS:NZ SER:OG THR:OG1 TRP:NE1 "
    "TYR:OH CYS:SG".split()
)
_ACCEPTORS = frozenset(
    "ASN:OD1 ASP:OD1 ASP:OD2 GLN:OE1 GLU:OE1 GLU:OE2 HIS:ND1 HIS:NE2 SER:OG THR:OG1 TYR:OH "
    "MET:SD CYS:SG".split()
)
_ACIDS = "ASP:OD1 ASP:OD2 GLU:OE1 GLU:OE2".split()
_CHARGES = {"ARG:NH1": 0.5, "ARG:NH2": 0.5, "LYS:NZ": 1.0} | dict.fromkeys(_ACIDS, -0.5)


class PocketAtoms(NamedTuple):
    """Heavy atoms of the protein near a ligand; water is left out.

    Attributes
    ----------
    atoms : (p,) int64
        Index of each atom in the topology.
    positions : (p, 3) float64
        Å.
    features : (p, POCKET_FEATURES) float64
        Element (one column per value), backbone, donor, acceptor, positive and negative charge
        (e), burial (tenths of atoms within `NEIGHBOURHOOD`).  The type of the residue is left
        out: with it the network learns the training targets by heart.
    residue_types : (p,) int64
        Index in `RESIDUE_TYPES`, which the network does not see; -1 for ions.
    """

    atoms: NDArray[np.int64]
    positions: NDArray[np.float64]
    features: NDArray[np.float64]
    residue_types: NDArray[np.int64]

    @property
    def donor(self) -> NDArray[np.bool_]:
        """Atoms that carry a polar hydrogen in a common protonation state."""
        return self.features[:, -5] > 0

    @property
    def acceptor(self) -> NDArray[np.bool_]:
        """Atoms with a lone pair that accepts a hydrogen bond."""
        return self.features[:, -4] > 0


def pocket_atoms(
    topology: app.Topology, positions: ArrayLike, ligand: ArrayLike, radius: float = 8.0
) -> PocketAtoms:
    """Find the heavy atoms of the protein within a radius of a ligand.

    Parameters
    ----------
    topology : openmm.app.Topology
        Of the protein; a ligand or water in it is left out (every residue that is neither an
        amino acid nor an ion).
    positions : (N, 3), Å
    ligand : (n, 3), Å
        Heavy atoms of the ligand, in the protein's frame.
    radius : float
        Å.
    """
    x = np.asarray(positions, dtype=np.float64)
    atoms = [atom for atom in topology.atoms() if belongs(atom)]
    heavy = np.array([atom.index for atom in atoms], dtype=np.int64)
    distance, _ = cKDTree(np.asarray(ligand)).query(x[heavy])
    near = np.flatnonzero(distance <= radius)
    tree = cKDTree(x[heavy])
    counts = tree.query_ball_point(x[heavy[near]], NEIGHBOURHOOD, return_length=True)
    features = [_atom(atoms[k], count) for k, count in zip(near, counts)]
    return PocketAtoms(
        heavy[near],
        x[heavy[near]],
        np.array(features, dtype=np.float64).reshape(-1, POCKET_FEATURES),
        np.array([_residue_type(atoms[k]) for k in near], dtype=np.int64),
    )


class ComplexPocket(NamedTuple):
    """Pocket atoms of a complex, and the residue whose frame each of them has.

    Attributes
    ----------
    near : PocketAtoms
    residues : (p,) int64
        Row in `Complex.backbone`; of an atom whose residue has none, that of the nearest Cα.
    """

    near: PocketAtoms
    residues: NDArray[np.int64]


REACH = 12.0
"""Å from the ligand's pose to its pocket atoms: a ligand that moves away still meets some."""
_POCKETS: WeakKeyDictionary[Complex, ComplexPocket] = WeakKeyDictionary()


def complex_pocket(complex: Complex) -> ComplexPocket:
    """Pocket atoms within `REACH` of the pose of a Complex; found once for each."""
    if complex not in _POCKETS:
        x = to_angstrom(complex.positions)
        near = pocket_atoms(complex.topology, x, x[complex.ligand_heavy], REACH)
        alphas = complex.backbone[:, 1]
        own = {atom.index: atom.residue.index for atom in complex.topology.atoms()}
        rows = {own[atom]: row for row, atom in enumerate(alphas.tolist())}
        _, nearest = cKDTree(x[alphas]).query(near.positions.reshape(-1, 3))
        residues = [
            rows.get(own[atom], int(other)) for atom, other in zip(near.atoms.tolist(), nearest)
        ]
        _POCKETS[complex] = ComplexPocket(near, np.array(residues, dtype=np.int64))
    return _POCKETS[complex]


def belongs(atom: app.topology.Atom) -> bool:
    """Check whether an atom is a heavy atom of an amino acid or an ion."""
    name = atom.residue.name.upper()
    if atom.element is None or atom.element.symbol == "H" or name in WATER:
        return False
    return name in PARENT or name in IONS


def _residue_type(atom: app.topology.Atom) -> int:
    parent = PARENT.get(atom.residue.name.upper())
    return RESIDUE_TYPES.index(parent) if parent in RESIDUE_TYPES else -1


def _atom(atom: app.topology.Atom, neighbours: int) -> list[float]:
    residue = PARENT.get(atom.residue.name.upper(), "other")
    key = f"{residue}:{atom.name}"
    symbol = atom.element.symbol
    elements = [float(symbol == one) for one in ELEMENTS]
    backbone = residue != "other" and atom.name in _BACKBONE
    charge = _CHARGES.get(key, 0.0) if residue != "other" else 1.0
    donor = key in _DONORS or (atom.name == "N" and residue not in ("PRO", "other"))
    acceptor = key in _ACCEPTORS or (backbone and atom.name in ("O", "OXT"))
    return [
        *elements,
        1.0 - sum(elements),
        float(backbone),
        float(donor),
        float(acceptor),
        max(charge, 0.0),
        max(-charge, 0.0),
        neighbours / 10.0,
    ]
