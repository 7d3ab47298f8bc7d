"""Frames of a trajectory file: MDTraj's readers, checked before their numbers are believed."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np

from ..errors import InputError, one_line
from ..structure.cell import DENSEST, SMALLEST_BOX
from ..structure.complex import Complex
from ..structure.readers import existing
from .dcd import DCDHeader, read_dcd_header
from .hdf5 import SUFFIXES as _HDF5
from .hdf5 import read_hdf5
from .headers import check_netcdf, check_trr, damaged
from .xtc import check_xtc

_NETCDF = (".nc", ".netcdf", ".ncdf")
STAMPED = (".xtc", ".trr", *_NETCDF)
"""Formats beside HDF5 that can hold times; MDTraj's readers give them second."""

SUFFIXES = (".dcd", *STAMPED, *_HDF5)
"""Formats that are read: what MDTraj's other readers do with a damaged file is not known."""

_WIDEST = 1e4  # nm
_DAMAGE = (
    AssertionError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class TrajectoryWarning(UserWarning):
    """A part of a trajectory file is not used."""


@dataclass(frozen=True, eq=False)
class RawFrames:
    """Coordinates of a complex in a trajectory file; lengths in nm, times in ps.

    Attributes
    ----------
    name : str
        The file's name, for messages.
    first : (N, 3) float64
        All atoms of the first snapshot.
    atoms : (M,) int64
        Particle indices of the atoms in `selected`: Cα of each residue, then the ligand's
        `sites`.
    selected : (T, M, 3) float64
    boxes : (T, 3, 3) float64 or None
    times : (T,) float64 or None
        None when the file does not say.
    """

    name: str
    first: np.ndarray
    atoms: np.ndarray
    selected: np.ndarray
    boxes: np.ndarray | None
    times: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Frames:
    """Coordinates of chosen atoms; lengths in nm, times in ps.

    Attributes
    ----------
    xyz : (T, M, 3) float32
    boxes : (T, 3, 3) float64 or None
        None without a usable unit cell.
    times : (T,) float64 or None
        None when the file does not say.
    """

    xyz: np.ndarray
    boxes: np.ndarray | None
    times: np.ndarray | None


def read_frames(path: Path, complex: Complex) -> RawFrames:
    """Read the first snapshot whole and of the others only what is used.

    Raises
    ------
    InputError
        File missing, empty, damaged, truncated, of another system, or of fewer than two snapshots.
    """
    existing(path)
    topology = mdtraj.Topology.from_openmm(complex.topology)
    count = count_atoms(path)
    if count != topology.n_atoms:
        raise InputError(
            f"{path.name} has {count} atoms, the complex has {topology.n_atoms}; "
            "give the structure the trajectory was made with"
        )
    atoms = np.concatenate([complex.backbone[:, 1], complex.ligand_sites])
    order = np.argsort(atoms)  # the readers give atoms in file order
    first = load(path, topology, first_only=True)
    every = load(path, topology, atoms[order])
    if len(every.xyz) < 2:
        raise InputError(f"{path.name} has {len(every.xyz)} snapshot; two or more are needed")
    selected = np.empty(every.xyz.shape, dtype=np.float64)
    selected[:, order] = every.xyz
    whole_first = first.xyz[0].astype(np.float64)
    times = every.times
    if times is not None and not np.ptp(times) > 0:
        times = None
    return RawFrames(path.name, whole_first, atoms, selected, every.boxes, times)


def load(
    path: Path,
    topology: mdtraj.Topology,
    atoms: np.ndarray | None = None,
    first_only: bool = False,
) -> Frames:
    """Read frames of a trajectory file of any kind.

    Parameters
    ----------
    path : Path
    topology : mdtraj.Topology
        Of all atoms in the file.
    atoms : (M,) int64, optional
        Indices, increasing; all by default.
    first_only : bool
        Read the first snapshot only.

    Raises
    ------
    InputError
        Damaged, truncated, of an unknown kind, or not safe to open.
    """
    header = checked(path)
    if path.suffix.lower() in _HDF5:
        data = read_hdf5(path, atoms, slice(0, 1) if first_only else slice(None))
        return Frames(data.xyz, usable_boxes(data.boxes, data.atoms, path.name), data.times)
    chosen = np.arange(topology.n_atoms) if atoms is None else atoms
    with _readable(path) as file:
        stamped = _has_times(file)
        read = mdtraj.load(
            str(file), top=topology, atom_indices=chosen, frame=0 if first_only else None
        )
    boxes = usable_boxes(read.unitcell_vectors, topology.n_atoms, path.name)
    if header is not None:
        step = header.interval_ps
        return Frames(read.xyz, boxes, None if step is None else step * np.arange(read.n_frames))
    times = np.asarray(read.time, dtype=np.float64) if stamped else None
    return Frames(read.xyz, boxes, times)


def blocks(path: Path, topology: mdtraj.Topology, length: int) -> Iterator[Frames]:
    """All atoms of a trajectory, `length` snapshots at a time, without times."""
    checked(path)
    if path.suffix.lower() in _HDF5:
        start = 0
        while len((data := read_hdf5(path, None, slice(start, start + length))).xyz):
            yield Frames(data.xyz, usable_boxes(data.boxes, data.atoms, path.name), None)
            start += length
        return
    with _readable(path) as file:
        parts = mdtraj.iterload(str(file), chunk=length, top=topology)
        for part in parts:
            boxes = usable_boxes(part.unitcell_vectors, topology.n_atoms, path.name)
            yield Frames(part.xyz, boxes, None)


def stamps(path: Path) -> tuple[int, int, np.ndarray | None]:
    """Atoms, snapshots and times in ps of a trajectory whose complex is not known."""
    if path.suffix.lower() in _HDF5:
        data = read_hdf5(path, np.zeros(1, dtype=np.int64))
        return data.atoms, len(data.xyz), data.times
    atoms = count_atoms(path)
    with _readable(path) as file, mdtraj.open(str(file)) as opened:
        content = opened.read(atom_indices=np.array([0]))
    times = content[1] if path.suffix.lower() in STAMPED else None
    return atoms, len(content[0]), None if times is None else np.asarray(times, dtype=np.float64)


def count_atoms(path: Path) -> int:
    """Number of atoms in a trajectory file."""
    header = checked(path)
    if header is not None:
        return header.atoms
    if path.suffix.lower() in _HDF5:
        return read_hdf5(path, np.zeros(1, dtype=np.int64), slice(0, 1)).atoms
    with _readable(path) as file, mdtraj.open(str(file)) as opened:
        return int(np.shape(opened.read(n_frames=1)[0])[1])


def checked(path: Path) -> DCDHeader | None:
    """Check what the C readers trust; the header of a DCD, None for other kinds.

    Raises
    ------
    InputError
        The file is of another format, or does not hold what its headers promise.
    """
    existing(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path.name}: trajectories are read from .dcd, .xtc, .trr, .nc and .h5 files; "
            "convert it to XTC or DCD"
        )
    if suffix == ".xtc":
        check_xtc(path)
    if suffix == ".trr":
        check_trr(path)
    if suffix in _NETCDF:
        with _readable(path) as file:
            check_netcdf(file)
    if suffix != ".dcd":
        return None
    header = read_dcd_header(path)
    if header.snapshots > header.complete or header.rest:
        promised = f"its header promises {header.snapshots}" if header.snapshots else "then it ends"
        raise InputError(
            f"{path.name} is truncated: {header.complete} whole snapshots, {promised}; "
            "copy it again, or cut it to whole snapshots"
        )
    return header


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """Context with a file name that every reader accepts, in which their errors become one line.

    MDTraj chooses the reader by an ending in small letters, and its C readers take ASCII names
    only; a file with another name is read through a link in a temporary folder.
    """
    suffix = path.suffix.lower()
    with tempfile.TemporaryDirectory(prefix="neuralmd-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MDTraj's, about what is checked here anyway
        name = path
        if path.suffix != suffix or not str(path).isascii():
            name = Path(folder) / f"trajectory{suffix}"
            name.symlink_to(path.resolve())
        try:
            yield name
        except _DAMAGE as error:
            reason = one_line(error).replace(str(name), path.name)
            raise damaged(path.name, reason) from error


def _has_times(file: Path) -> bool:
    """Test whether the file stores times; without them MDTraj counts 1 ps per snapshot."""
    if file.suffix not in STAMPED:
        return False
    with mdtraj.open(str(file)) as opened:
        return opened.read(n_frames=1, atom_indices=np.array([0]))[1] is not None


def usable_boxes(vectors: np.ndarray | None, atoms: int, name: str) -> np.ndarray | None:
    """Box vectors (T, 3, 3) in nm; None if they cannot be the unit cell of that many atoms.

    A cell of zeros or ones is how formats and programs say that there is none.  One that is not a
    number, or in which the atoms would be packed denser than any matter, is left out with a note.
    """
    if vectors is None or not len(vectors):
        return None
    vectors = vectors.astype(np.float64)
    if np.isfinite(vectors).all():
        lengths = np.linalg.norm(vectors, axis=-1)
        if lengths.min() < SMALLEST_BOX:
            return None
        volumes = np.abs(np.linalg.det(vectors))
        if lengths.max() < _WIDEST and volumes.min() * DENSEST > atoms:
            return vectors
    warnings.warn(
        f"{name}: its unit cell is no cell of {atoms} atoms; read without a box",
        TrajectoryWarning,
        stacklevel=3,
    )
    return None
