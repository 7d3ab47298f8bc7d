"""Chemistry of a ligand's heavy atoms from an RDKit molecule: no force-field parameters needed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

ELEMENTS = (6, 7, 8, 16, 15, 9, 17, 35, 53)
"""Atomic numbers with a column of their own; any other element shares the last column."""
HYBRIDISATIONS = (
    Chem.HybridizationType.SP,
    Chem.HybridizationType.SP2,
    Chem.HybridizationType.SP3,
)
BOND_ORDERS = (
    Chem.BondType.SINGLE,
    Chem.BondType.DOUBLE,
    Chem.BondType.TRIPLE,
    Chem.BondType.AROMATIC,
)
FARTHEST = 5
"""Graph distances from this one on are one class."""
ATOM_FEATURES = (len(ELEMENTS) + 1) + 5 + 4 + 3 + (len(HYBRIDISATIONS) + 1) + 4
BOND_FEATURES = len(BOND_ORDERS) + 3
_AMIDE = Chem.MolFromSmarts("[NX3;!$(N=*)]-[C,S,P]=[O,S,N]")


class LigandChemistry(NamedTuple):
    """Heavy atoms and bonds of a ligand, in the order of the molecule.

    Attributes
    ----------
    atoms : (n,) int64
        Index in the molecule of each heavy atom.
    features : (n, ATOM_FEATURES) float64
        Element, heavy neighbours, hydrogens, charge, hybridisation (one column per value), then
        ring, aromatic, donor, acceptor (0 or 1).
    masses : (n,) float64
        amu, of the heavy atom with its hydrogens.
    bonds : (b, 2) int64
        Pairs of heavy atoms, i < j.
    bond_features : (b, BOND_FEATURES) float64
        Order (one column per value), ring, conjugated, rotatable.
    amide : (b,) bool
        Single bonds between N and a carbonyl (or sulfonyl) atom.
    distances : (n, n) int64
        Bonds on the shortest path, at most `FARTHEST`.
    molecule : rdkit.Chem.Mol or None
        The heavy atoms with their bond orders; None for a part of a molecule.
    """

    atoms: NDArray[np.int64]
    features: NDArray[np.float64]
    masses: NDArray[np.float64]
    bonds: NDArray[np.int64]
    bond_features: NDArray[np.float64]
    amide: NDArray[np.bool_]
    distances: NDArray[np.int64]
    molecule: Chem.Mol | None = None

    @property
    def donor(self) -> NDArray[np.bool_]:
        """Atoms that carry a polar hydrogen."""
        return self.features[:, -2] > 0

    @property
    def acceptor(self) -> NDArray[np.bool_]:
        """Atoms with a lone pair that accepts a hydrogen bond."""
        return self.features[:, -1] > 0

    @property
    def charge(self) -> NDArray[np.float64]:
        """Sign of each atom's formal charge: −1, 0 or 1."""
        negative = (len(ELEMENTS) + 1) + 5 + 4
        return self.features[:, negative + 2] - self.features[:, negative]

    def part(self, rows: NDArray[np.int64]) -> LigandChemistry:
        """Chemistry of some of the atoms, in the order of `rows`; features and distances stay."""
        place = np.full(len(self.atoms), -1)
        place[rows] = np.arange(len(rows))
        ends = place[self.bonds]
        here = (ends >= 0).all(axis=1)
        return LigandChemistry(
            atoms=np.arange(len(rows)),
            features=self.features[rows],
            masses=self.masses[rows],
            bonds=np.sort(ends[here], axis=1),
            bond_features=self.bond_features[here],
            amide=self.amide[here],
            distances=self.distances[np.ix_(rows, rows)],
        )


def ligand_chemistry(molecule: Chem.Mol) -> LigandChemistry:
    """Features of a sanitised molecule, with explicit or implicit hydrogens."""
    heavy = [atom for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1]
    local = {atom.GetIdx(): k for k, atom in enumerate(heavy)}
    bonds = [b for b in molecule.GetBonds() if {b.GetBeginAtomIdx(), b.GetEndAtomIdx()} <= {*local}]
    pairs = [sorted((local[b.GetBeginAtomIdx()], local[b.GetEndAtomIdx()])) for b in bonds]
    amides = {
        frozenset(match[:2]) for match in molecule.GetSubstructMatches(_AMIDE, maxMatches=10_000)
    }
    amide = [frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) in amides for b in bonds]
    distances = np.asarray(Chem.GetDistanceMatrix(molecule))
    index = np.array([*local], dtype=np.int64)
    table = Chem.GetPeriodicTable()
    hydrogen = table.GetAtomicWeight(1)
    return LigandChemistry(
        atoms=index,
        features=np.array([_atom(atom) for atom in heavy], dtype=np.float64),
        masses=np.array([a.GetMass() + hydrogen * _hydrogens(a) for a in heavy]),
        bonds=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        bond_features=np.array([_bond(b) for b in bonds], dtype=np.float64).reshape(
            -1, BOND_FEATURES
        ),
        amide=np.array(amide, dtype=bool),
        distances=np.minimum(distances[np.ix_(index, index)], FARTHEST).astype(np.int64),
        molecule=Chem.RemoveAllHs(molecule),
    )


def is_rotatable(bond: Chem.Bond) -> bool:
    """Single bond outside rings between two atoms that each have another heavy neighbour."""
    ends = (bond.GetBeginAtom(), bond.GetEndAtom())
    return (
        bond.GetBondType() == Chem.BondType.SINGLE
        and not bond.IsInRing()
        and all(_heavy_neighbours(atom) > 1 for atom in ends)
        and not any(atom.GetHybridization() == Chem.HybridizationType.SP for atom in ends)
    )


def _hydrogens(atom: Chem.Atom) -> int:
    return int(atom.GetTotalNumHs(includeNeighbors=True))


def _heavy_neighbours(atom: Chem.Atom) -> int:
    return sum(other.GetAtomicNum() > 1 for other in atom.GetNeighbors())


def _one_of(value: object, values: tuple[object, ...]) -> list[float]:
    """One column for each value and one for everything else."""
    columns = [float(value == one) for one in values]
    return [*columns, 1.0 - sum(columns)]


def _atom(atom: Chem.Atom) -> list[float]:
    charge = atom.GetFormalCharge()
    return [
        *_one_of(atom.GetAtomicNum(), ELEMENTS),
        *_one_of(_heavy_neighbours(atom), (1, 2, 3, 4)),
        *_one_of(_hydrogens(atom), (0, 1, 2)),
        float(charge < 0),
        float(charge == 0),
        float(charge > 0),
        *_one_of(atom.GetHybridization(), HYBRIDISATIONS),
        float(atom.IsInRing()),
        float(atom.GetIsAromatic()),
        float(_is_donor(atom)),
        float(_is_acceptor(atom)),
    ]


def _bond(bond: Chem.Bond) -> list[float]:
    kinds = [float(bond.GetBondType() == order) for order in BOND_ORDERS]
    return [
        *kinds,
        float(bond.IsInRing()),
        float(bond.GetIsConjugated()),
        float(is_rotatable(bond)),
    ]


def _is_donor(atom: Chem.Atom) -> bool:
    return atom.GetAtomicNum() in (7, 8, 16) and _hydrogens(atom) > 0


def _is_acceptor(atom: Chem.Atom) -> bool:
    """O, and N whose lone pair is neither used in a bond nor part of a conjugated system."""
    if atom.GetAtomicNum() == 8:
        return bool(atom.GetFormalCharge() <= 0)
    if atom.GetAtomicNum() != 7 or atom.GetFormalCharge() > 0:
        return False
    connections = atom.GetTotalDegree()
    if atom.GetIsAromatic():
        return bool(connections == 2)
    conjugated = any(bond.GetIsConjugated() for bond in atom.GetBonds())
    return bool(connections < 3 or not conjugated)
