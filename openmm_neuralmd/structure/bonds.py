"""Bonds of the ligand: from an SDF, the topology, or the distances."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from openmm import app
from openmm.app.topology import Residue
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds
from rdkit.Geometry import Point3D
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ..errors import InputError, one_line, shown
from ..units import to_angstrom
from .readers import existing
from .residues import describe

_STRETCHED = 1.5  # times the sum of covalent radii; no bond of a sound structure is longer


class BondWarning(UserWarning):
    """Bonds that a file lists were replaced or completed by those that the distances show."""


def find_bonds(
    topology: app.Topology, ligand: Residue, positions: np.ndarray, sdf: str | Path | None
) -> np.ndarray:
    """Bonds of the ligand, from `sdf` if given, else the topology, else the distances.

    Bonds of the topology that their lengths contradict are replaced by those of the distances, and
    completed by them where they leave the ligand in pieces; `BondWarning` says so.

    Parameters
    ----------
    topology : Topology
    ligand : Residue
    positions : (L, 3) float64, nm
        Of the ligand's atoms, the molecule whole.
    sdf : path, optional

    Returns
    -------
    (b, 2) int64
        Local indices into the ligand's atoms, i < j, sorted.

    Raises
    ------
    InputError
        The SDF does not fit the ligand, or the bonds leave the ligand in pieces.
    """
    numbers = [atom.element.atomic_number for atom in ligand.atoms()]
    listed = _listed_bonds(topology, ligand)
    bonds = _contradicted(ligand, numbers, positions, listed)
    if sdf is not None:
        bonds = _bonds_from_sdf(Path(sdf), describe(ligand), numbers, positions, bonds)
    pairs = np.unique(np.sort(np.array(bonds, dtype=np.int64).reshape(-1, 2), axis=1), axis=0)
    _refuse_pieces(ligand, pairs)
    return pairs


def _listed_bonds(topology: app.Topology, ligand: Residue) -> list[tuple[int, int]]:
    local = {atom.index: i for i, atom in enumerate(ligand.atoms())}
    return [
        (local[a.index], local[b.index])
        for a, b in topology.bonds()
        if a.index in local and b.index in local
    ]


def _contradicted(
    ligand: Residue, numbers: list[int], positions: np.ndarray, listed: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The listed bonds, unless the distances contradict them; completed where some are missing.

    Serial numbers of CONECT records are stale where atoms were added to a PDB file later, and the
    records leave hydrogens out where these came later.
    """
    if not listed:
        return perceive_bonds(numbers, positions)
    radii = np.array([covalent_radius(number) for number in numbers])
    pairs = np.array(listed)
    points = to_angstrom(positions)
    length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=-1)
    excess = length / radii[pairs].sum(axis=1)
    names = [atom.name for atom in ligand.atoms()]
    if excess.max() > _STRETCHED:
        i, j = pairs[excess.argmax()]
        warnings.warn(
            f"ligand {describe(ligand)}: its listed bond {names[i]}–{names[j]} is "
            f"{length[excess.argmax()]:.1f} Å long; its bonds were taken from distances instead "
            "(give them with sdf=)",
            BondWarning,
            stacklevel=2,
        )
        return perceive_bonds(numbers, positions)
    if _pieces(len(numbers), pairs)[0] == 1:
        return listed
    missing = {tuple(sorted(bond)) for bond in perceive_bonds(numbers, positions)}
    missing -= {tuple(sorted(bond)) for bond in listed}
    if missing:
        warnings.warn(
            f"ligand {describe(ligand)}: {len(listed)} bonds are listed, "
            f"{len(missing)} more were taken from distances (give them with sdf=)",
            BondWarning,
            stacklevel=2,
        )
    return [*listed, *((i, j) for i, j in missing)]


def perceive_bonds(numbers: list[int], positions: np.ndarray) -> list[tuple[int, int]]:
    """Bonds of a molecule from its geometry: atomic numbers and positions (L, 3) in nm."""
    molecule = heavy_graph(numbers, [])
    conformer = Chem.Conformer(len(numbers))
    for i, point in enumerate(to_angstrom(positions)):
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    molecule.AddConformer(conformer)
    rdDetermineBonds.DetermineConnectivity(molecule)
    return [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]


def heavy_graph(numbers: list[int], bonds: list[tuple[int, int]]) -> Chem.Mol:
    """A molecular graph with single bonds only: what can be compared without bond orders."""
    molecule = Chem.RWMol()
    for number in numbers:
        atom = Chem.Atom(number)
        atom.SetNoImplicit(True)
        molecule.AddAtom(atom)
    for i, j in bonds:
        molecule.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    return molecule.GetMol()


def _bonds_from_sdf(
    sdf: Path,
    name: str,
    numbers: list[int],
    positions: np.ndarray,
    bonds: list[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Heavy-atom bonds of the molecule in `sdf`, each hydrogen bonded to its nearest heavy atom."""
    heavy = [i for i, number in enumerate(numbers) if number > 1]
    place = {i: k for k, i in enumerate(heavy)}
    elements = [numbers[i] for i in heavy]
    own = heavy_graph(
        elements, [(place[i], place[j]) for i, j in bonds if i in place and j in place]
    )
    for graph in _read_sdf(sdf):
        match = match_atoms(graph, elements, to_angstrom(positions[heavy]), own)
        if match is None:
            continue
        matching = [
            (heavy[match[b.GetBeginAtomIdx()]], heavy[match[b.GetEndAtomIdx()]])
            for b in graph.GetBonds()
        ]
        hydrogens = [i for i, number in enumerate(numbers) if number == 1]
        distance = np.linalg.norm(positions[hydrogens][:, None] - positions[heavy][None], axis=-1)
        parents = distance.argmin(axis=1) if hydrogens else []
        return matching + [(heavy[p], h) for h, p in zip(hydrogens, parents, strict=True)]
    raise InputError(
        f"{sdf.name} does not fit ligand {name}: no molecule in it has its {len(heavy)} heavy "
        f"atoms ({_formula(elements)}) bonded as the ligand's geometry shows"
    )


def _read_sdf(sdf: Path) -> list[Chem.Mol]:
    """Heavy-atom graphs of every molecule in the file."""
    existing(sdf)
    try:
        # what RDKit cannot sanitise is of no concern here
        with (
            rdBase.BlockLogs(),
            Chem.SDMolSupplier(str(sdf), sanitize=False, removeHs=False) as supplier,
        ):
            molecules = [molecule for molecule in supplier if molecule is not None]
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"cannot read {sdf.name}: {one_line(error)}") from error
    if not molecules:
        raise InputError(f"cannot read {sdf.name}: it holds no molecule; is it an SDF file?")
    graphs = []
    for molecule in molecules:
        heavy = [a.GetIdx() for a in molecule.GetAtoms() if a.GetAtomicNum() > 1]
        place = {i: k for k, i in enumerate(heavy)}
        pairs = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        bonds = [(place[i], place[j]) for i, j in pairs if i in place and j in place]
        graphs.append(
            heavy_graph([molecule.GetAtomWithIdx(i).GetAtomicNum() for i in heavy], bonds)
        )
    return graphs


def match_atoms(
    graph: Chem.Mol, elements: list[int], points: np.ndarray, own: Chem.Mol
) -> list[int] | None:
    """SDF atom to ligand heavy atom: in the order given if that fits, else as the same graph."""
    listed = [atom.GetAtomicNum() for atom in graph.GetAtoms()]
    if sorted(listed) != sorted(elements):
        return None
    pairs = np.array(
        [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in graph.GetBonds()], dtype=int
    ).reshape(-1, 2)
    if listed == elements:
        radii = np.array([covalent_radius(number) for number in elements])
        length = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=-1)
        if (length < 1.3 * radii[pairs].sum(axis=1)).all():
            return list(range(len(elements)))
    if own.GetNumBonds() != graph.GetNumBonds():
        return None
    match = own.GetSubstructMatch(graph)
    return list(match) or None


def covalent_radius(atomic_number: int) -> float:
    """Covalent radius in Å (RDKit's table)."""
    return Chem.GetPeriodicTable().GetRcovalent(int(atomic_number))


def _formula(elements: list[int]) -> str:
    table = Chem.GetPeriodicTable()
    symbols = sorted(table.GetElementSymbol(number) for number in elements)
    counts = {symbol: symbols.count(symbol) for symbol in dict.fromkeys(symbols)}
    return " ".join(f"{symbol}{count}" for symbol, count in counts.items())


def _pieces(atoms: int, bonds: np.ndarray) -> tuple[int, np.ndarray]:
    """Number of connected molecules, and the molecule of each atom."""
    graph = coo_matrix((np.ones(len(bonds)), bonds.T), shape=(atoms, atoms))
    pieces, label = connected_components(graph, directed=False)
    return int(pieces), label


def _refuse_pieces(ligand: Residue, bonds: np.ndarray) -> None:
    atoms = list(ligand.atoms())
    pieces, label = _pieces(len(atoms), bonds)
    if pieces > 1:
        smallest = np.argmin(np.bincount(label))
        loose = shown(
            atom.name for atom, piece in zip(atoms, label, strict=True) if piece == smallest
        )
        raise InputError(
            f"ligand {describe(ligand)} is not one connected molecule but {pieces}; "
            f"not bonded to the rest: {loose}; give its bonds with sdf= or repair its coordinates"
        )
