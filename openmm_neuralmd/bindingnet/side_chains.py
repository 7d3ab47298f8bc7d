"""Residues around a ligand as the moving part of the pocket, and what surrounds them.

Bonds, ring systems and hybridisation come from RDKit's templates of the amino acids, by atom name;
hydrogens in the structure are not needed.  A residue whose atoms have other names stands still.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from openmm import app
from rdkit import Chem
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from scipy.spatial import cKDTree

from ..structure.residues import AMINO_ACIDS, PARENT, PEPTIDE_BOND
from ..units import to_nm
from .chemistry import FARTHEST, LigandChemistry, ligand_chemistry
from .pocket import ELEMENTS, NEIGHBOURHOOD, POCKET_FEATURES, PocketAtoms, belongs, pocket_atoms

REACH = 6.0
"""Å; residues whose side chain has a heavy atom within this distance of the ligand move."""
SURROUNDINGS = 8.0
"""Å; atoms that stand still and the ligand act on the residues from within this distance."""
BACKBONE = ("N", "CA", "C", "O")
_LETTERS = dict(zip(AMINO_ACIDS, "ARNDCQEGHILKMFPSTWYV", strict=True))
_CHARGED = {"ARG": ("NH1", 1), "LYS": ("NZ", 1), "ASP": ("OD2", -1), "GLU": ("OE2", -1)}


class SideChains(NamedTuple):
    """Residues around a ligand whose m heavy atoms move.

    Attributes
    ----------
    atoms : (m,) int64
        Index in the topology of the heavy atoms of the residues whose side chains are near, and of
        the backbone of their neighbours in sequence.
    start : (m, 3)
        Å.
    chemistry : LigandChemistry
        Of the m atoms.
    residues : (m,) int64
        Index in the topology of each atom's residue.
    backbone : (m,) bool
        Atoms N, CA, C and O.
    surroundings : PocketAtoms
        Everything else that acts on the m atoms: first the protein, then the ligand's heavy atoms.
    protein : int
        Number of atoms of the protein in `surroundings`.
    """

    atoms: NDArray[np.int64]
    start: NDArray[np.float64]
    chemistry: LigandChemistry
    residues: NDArray[np.int64]
    backbone: NDArray[np.bool_]
    surroundings: PocketAtoms
    protein: int


class _Residue(NamedTuple):
    """A residue of a known amino acid with its heavy atoms; no atom where a name is not known."""

    parent: str
    atoms: list[app.topology.Atom]

    def number(self, name: str) -> int:
        """Index in the topology of an atom, or −1."""
        return next((a.index for a in self.atoms if a.name == name), -1)

    def backbone(self) -> _Residue:
        """The same residue without its side chain."""
        return _Residue(self.parent, [a for a in self.atoms if a.name in BACKBONE])


def side_chains(
    topology: app.Topology, positions: ArrayLike, chemistry: LigandChemistry, pose: ArrayLike
) -> SideChains:
    """Find the residues whose side chains are within `REACH` of a ligand.

    Parameters
    ----------
    topology : openmm.app.Topology
        Of the protein, with or without hydrogens; a ligand or water in it is left out.
    positions : (N, 3), Å
    chemistry : LigandChemistry
        Of the ligand.
    pose : (n, 3), Å
        Heavy atoms of the ligand.
    """
    x, ligand = np.asarray(positions, dtype=np.float64), np.asarray(pose, dtype=np.float64)
    residues = [_known(residue) for residue in topology.residues()]
    chains = [residue.chain.index for residue in topology.residues()]
    tree = cKDTree(ligand)
    near = [_within(x, tree, residue) for residue in residues]
    linked = [
        chains[k] == chains[k + 1] and _linked(x, residues[k], residues[k + 1])
        for k in range(len(residues) - 1)
    ]
    beside = [
        (k and linked[k - 1] and near[k - 1]) or (k < len(linked) and linked[k] and near[k + 1])
        for k in range(len(residues))
    ]
    parts = [
        (k, residue if near[k] else residue.backbone())
        for k, residue in enumerate(residues)
        if near[k] or (beside[k] and residue.atoms)
    ]
    atoms = np.array([a.index for _, part in parts for a in part.atoms], dtype=np.int64)
    numbers = np.array([k for k, part in parts for _ in part.atoms], dtype=np.int64)
    backbone = np.array([a.name in BACKBONE for _, part in parts for a in part.atoms], dtype=bool)
    pairs = [
        (residues[k].number("C"), residues[k + 1].number("N"))
        for k, _ in parts
        if k < len(linked) and linked[k]
    ]
    surroundings, protein = _surroundings(topology, x, atoms, chemistry, ligand)
    merged = _merged([part for _, part in parts], atoms, pairs)
    return SideChains(atoms, x[atoms], merged, numbers, backbone, surroundings, protein)


def _known(residue: app.topology.Residue) -> _Residue:
    parent = PARENT.get(residue.name.upper(), "")
    heavy = [a for a in residue.atoms() if a.element is not None and a.element.symbol != "H"]
    heavy = [a for a in heavy if a.name != "OXT"]
    names = {a.name for a in heavy}
    known = bool(parent) and names <= _template(parent).keys() and len(names) == len(heavy)
    return _Residue(parent, heavy if known else [])


def _within(x: NDArray[np.float64], tree: cKDTree, residue: _Residue) -> bool:
    side = [a.index for a in residue.atoms if a.name not in BACKBONE]
    return bool(side) and bool(tree.query(x[side])[0].min() <= REACH)


def _linked(x: NDArray[np.float64], one: _Residue, following: _Residue) -> bool:
    i, j = one.number("C"), following.number("N")
    return min(i, j) >= 0 and bool(np.linalg.norm(to_nm(x[i] - x[j])) < PEPTIDE_BOND)


@cache
def _molecule(parent: str) -> Chem.Mol:
    """An amino acid between two glycines."""
    molecule = Chem.RWMol(Chem.MolFromSequence(f"G{_LETTERS[parent]}G"))
    name, charge = _CHARGED.get(parent, ("", 0))
    for atom in molecule.GetAtoms():
        info = atom.GetPDBResidueInfo()
        if info.GetResidueNumber() == 2 and info.GetName().strip() == name:
            atom.SetFormalCharge(charge)
    Chem.SanitizeMol(molecule)
    return molecule


@cache
def _template(parent: str) -> dict[str, int]:
    """Index of each heavy atom of an amino acid in `_molecule`, by name."""
    infos = [(a.GetIdx(), a.GetPDBResidueInfo()) for a in _molecule(parent).GetAtoms()]
    return {info.GetName().strip(): k for k, info in infos if info.GetResidueNumber() == 2}


@cache
def _peptide_bond() -> NDArray[np.float64]:
    """Features of the bond between two residues."""
    whole, molecule = ligand_chemistry(_molecule("GLY")), _molecule("GLY")
    numbers = [a.GetPDBResidueInfo().GetResidueNumber() for a in molecule.GetAtoms()]
    row = next(k for k, (i, j) in enumerate(whole.bonds) if numbers[i] != numbers[j])
    return whole.bond_features[row]


@cache
def _chemistry(parent: str, names: tuple[str, ...]) -> LigandChemistry:
    """Chemistry of a residue's atoms in the order in which the structure has them."""
    whole = ligand_chemistry(_molecule(parent))
    return whole.part(np.array([_template(parent)[name] for name in names], dtype=np.int64))


def _merged(
    residues: Sequence[_Residue], atoms: NDArray[np.int64], links: Sequence[tuple[int, int]]
) -> LigandChemistry:
    """Residues as one molecule, with the bonds between them."""
    empty = ligand_chemistry(_molecule("GLY")).part(np.zeros(0, dtype=np.int64))
    parts = [empty] + [_chemistry(r.parent, tuple(a.name for a in r.atoms)) for r in residues]
    starts = np.cumsum([0, *(len(part.atoms) for part in parts)])
    place = {atom: k for k, atom in enumerate(atoms.tolist())}
    between = [(place[i], place[j]) for i, j in links if i in place and j in place]
    bonds = np.concatenate(
        [*(p.bonds + k for p, k in zip(parts, starts)), np.reshape(between, (-1, 2))]
    ).astype(np.int64)
    peptide = np.repeat(_peptide_bond()[None], len(between), axis=0)
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(len(atoms), len(atoms)))
    steps = (
        shortest_path(graph, directed=False, unweighted=True) if len(atoms) else np.zeros((0, 0))
    )
    return LigandChemistry(
        atoms=np.arange(len(atoms)),
        features=np.concatenate([p.features for p in parts]),
        masses=np.concatenate([p.masses for p in parts]),
        bonds=np.sort(bonds, axis=1),
        bond_features=np.concatenate([*(p.bond_features for p in parts), peptide]),
        amide=np.concatenate([*(p.amide for p in parts), np.ones(len(between), dtype=bool)]),
        distances=np.minimum(steps, FARTHEST).astype(np.int64),
    )


def _surroundings(
    topology: app.Topology,
    x: NDArray[np.float64],
    moving: NDArray[np.int64],
    chemistry: LigandChemistry,
    ligand: NDArray[np.float64],
) -> tuple[PocketAtoms, int]:
    """Heavy atoms of the protein that stand still, then those of the ligand."""
    everything = pocket_atoms(topology, x, x[moving] if len(moving) else ligand, SURROUNDINGS)
    still = ~np.isin(everything.atoms, moving)
    fixed = [part[still] for part in everything]
    heavy = [atom.index for atom in topology.atoms() if belongs(atom)]
    near = cKDTree(np.concatenate([x[heavy], ligand]))
    counts = near.query_ball_point(ligand, NEIGHBOURHOOD, return_length=True)
    own = PocketAtoms(
        np.full(len(ligand), -1, dtype=np.int64),
        ligand,
        _as_pocket(chemistry, np.asarray(counts, dtype=np.float64)),
        np.full(len(ligand), -1, dtype=np.int64),
    )
    both = PocketAtoms(*(np.concatenate(pair) for pair in zip(fixed, own)))
    return both, int(still.sum())


def _as_pocket(chemistry: LigandChemistry, neighbours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Features of the ligand's atoms in the columns of `pocket.PocketAtoms`."""
    features = np.zeros((len(chemistry.atoms), POCKET_FEATURES))
    # C, N, O and S are the first columns in both; any other element shares the next one.
    features[:, : len(ELEMENTS)] = chemistry.features[:, : len(ELEMENTS)]
    features[:, len(ELEMENTS)] = 1.0 - features[:, : len(ELEMENTS)].sum(axis=1)
    features[:, -5], features[:, -4] = chemistry.donor, chemistry.acceptor
    features[:, -3] = np.maximum(chemistry.charge, 0.0)
    features[:, -2] = np.maximum(-chemistry.charge, 0.0)
    features[:, -1] = neighbours / 10.0
    return features
