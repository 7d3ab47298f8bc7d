"""`convert`: MISATO's layout to files of a complex, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from ..errors import InputError
from ..structure.complex import Complex
from ..structure.imaging import make_whole
from ..trajectory.hdf5 import SUFFIXES
from ..trajectory.readers import blocks
from ..trajectory.snapshots import read_snapshots
from ..utils.resume import check_free
from .folder import (
    PDB,
    SDF,
    TRAJECTORY,
    read_settings,
    settings_codes,
    write_folder,
)
from .layout import LigandCodes, solute
from .reader import list_entries, read_entry
from .writer import write_entry

_BLOCK = 20  # snapshots


def is_hdf5(path: str | Path) -> bool:
    """Test whether a file name has an HDF5 suffix."""
    return Path(path).suffix.lower() in SUFFIXES


def convert(
    source: str | Path,
    target: str | Path,
    *,
    entries: Sequence[str] | None = None,
    trajectory: str | Path | None = None,
    ligand: str | None = None,
    sdf: str | Path | None = None,
    coordinates: str | Path | None = None,
    interval: Any = None,
    replace: bool = False,
) -> list[Path]:
    """Convert between MISATO's layout and files of a complex; the ending .hdf5 says which is which.

    Parameters
    ----------
    source : path
        A MISATO file; or a complex folder as this function writes it; or a structure (PDB, mmCIF,
        prmtop) with `trajectory`.
    target : path
        A folder for `source` in HDF5, else the HDF5 file to add to.
    entries : names, optional
        Which entries to read; all of them go to subfolders by their names unless there is one
        entry.  Without it the file must hold one entry only.  On the way back: the entry's name.
    trajectory, ligand, sdf, coordinates
        As in `Complex.from_files` and `read_snapshots`.
    interval : Quantity or float in ps, optional
        Overrides what the files say, or MISATO's 80 ps.
    replace : bool
        Whether an entry of the same name in the target may be replaced, or a folder that this
        function wrote.

    Returns
    -------
    list of Path
        The folders, or the file.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import convert, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> snapshots = complex.positions[None].repeat(3, axis=0)  # nm
    >>> _ = write_entry(scratch / "MD.hdf5", "181L", complex, snapshots, 80.0)  # every 80 ps
    >>> (written,) = convert(scratch / "MD.hdf5", scratch / "181l")
    >>> sorted(path.name for path in written.iterdir())
    ['complex.yaml', 'ligand.sdf', 'topology.pdb', 'trajectory.dcd']
    """
    if is_hdf5(source) == is_hdf5(target):
        raise InputError(
            "convert needs MISATO's layout on one side and files on the other: one of source and "
            "target must end in .hdf5"
        )
    if is_hdf5(source):
        return _to_folders(Path(source), Path(target), entries, interval, replace)
    source = Path(source)
    codes: LigandCodes | None = None
    if source.is_dir():
        settings = read_settings(source)
        codes, ligand = settings_codes(settings), ligand or settings.get("ligand")
        name = str(settings.get("name", source.name))
        trajectory, sdf = trajectory or source / TRAJECTORY, sdf or source / SDF
        interval = interval or settings.get("interval_ps")
        source = source / PDB
    else:
        name = source.stem
    if trajectory is None:
        raise InputError(f"{source.name} alone has no snapshots; give its trajectory")
    if entries:
        name = entries[0]
    complex = Complex.from_files(source, ligand=ligand, sdf=sdf, coordinates=coordinates, name=name)
    step = _interval(Path(trajectory), complex, interval)
    blocks = _blocks(Path(trajectory), complex)
    return [write_entry(target, name, complex, blocks, step, ligand=codes, replace=replace)]


def _to_folders(
    source: Path, target: Path, entries: Sequence[str] | None, interval: Any, replace: bool
) -> list[Path]:
    names = list(entries) if entries else list_entries(source)
    if not entries and len(names) > 1:
        raise InputError(
            f"{source.name} has {len(names)} entries; name those to convert ({names[0]}, ...)"
        )
    single = len(names) == 1
    paths = [name for name in names if not re.fullmatch(r"\w[\w.+-]*", name)]
    if paths and not single:
        raise InputError(f"{source.name}: entry {paths[0]!r} cannot be the name of a folder")
    folders = [target if single else target / name for name in names]
    if not replace:
        for folder in folders:
            check_free(folder)
    return [
        write_folder(read_entry(source, name), folder, interval=interval, replace=replace)
        for name, folder in zip(names, folders, strict=True)
    ]


def _interval(trajectory: Path, complex: Complex, interval: Any) -> float:
    """The time step, after the checks that these are whole snapshots of this complex in one run."""
    snapshots = read_snapshots(trajectory, complex, interval=interval)
    if snapshots.breaks:
        raise InputError(
            f"{trajectory.name} holds {len(snapshots.segments)} replicas (times start again before "
            f"snapshot {snapshots.breaks[0]}); an entry of MISATO is one run, convert them one by "
            "one"
        )
    return snapshots.interval_ps


def _blocks(trajectory: Path, complex: Complex) -> Iterator[np.ndarray]:
    """All atoms of a few snapshots at a time, (t, N, 3) nm, molecules whole and together."""
    atoms = solute(complex)
    tree: np.ndarray | None = None
    topology = mdtraj.Topology.from_openmm(complex.topology)
    for part in blocks(trajectory, topology, _BLOCK):
        positions = part.xyz.astype(np.float64)
        if part.boxes is not None:
            tree = bond_tree(complex, atoms) if tree is None else tree
            positions[:, atoms] = make_whole(positions[:, atoms], tree, part.boxes)
        yield positions


def bond_tree(complex: Complex, atoms: np.ndarray) -> np.ndarray:
    """Edges (M - 1, 2) over `atoms`, particle indices, a parent before its children.

    Within a molecule edges are bonds; molecules hang together by the shortest contact they have in
    `complex.positions`, the largest first.  For `imaging.make_whole`, in local indices.
    """
    place = np.full(complex.topology.getNumAtoms(), -1)
    place[atoms] = np.arange(len(atoms))
    bonds = [(a.index, b.index) for a, b in complex.topology.bonds()]
    bonds += complex.ligand[complex.ligand_bonds].tolist()
    pairs = place[np.array(bonds, dtype=np.int64).reshape(-1, 2)]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(atoms), len(atoms))).tocsr()
    count, label = connected_components(graph, directed=False)
    points = complex.positions[atoms]
    loose = sorted(range(count), key=lambda k: int((label == k).sum()))
    root = int(np.flatnonzero(label == loose.pop())[0])
    edges = [_walk(graph, root)]
    joined = label == label[root]
    while loose:
        tree = cKDTree(points[joined])
        reach, near = tree.query(points[~joined])
        child = np.flatnonzero(~joined)[reach.argmin()]
        parent = np.flatnonzero(joined)[near[reach.argmin()]]
        edges += [np.array([[parent, child]]), _walk(graph, int(child))]
        joined |= label == label[child]
        loose.remove(label[child])
    return np.concatenate(edges)


def _walk(graph: coo_matrix, root: int) -> np.ndarray:
    order, before = breadth_first_order(graph, root, directed=False)
    return np.stack([before[order[1:]], order[1:]], axis=1).astype(np.int64)
