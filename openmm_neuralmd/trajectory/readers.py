"""Raw frames of a trajectory file, through MDTraj, with damage found before it is believed."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np

from ..errors import InputError, one_line
from ..structure.complex import SMALLEST_BOX, Complex
from ..structure.readers import existing

_HDF5 = {".h5", ".hdf5"}
_STAMPED = {".xtc", ".trr", ".nc", ".netcdf", ".ncdf"} | _HDF5


@dataclass(frozen=True, eq=False)
class RawFrames:
    """What a trajectory file holds of a complex; lengths in nm, times in ps.

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


def read_frames(path: Path, complex: Complex) -> RawFrames:
    """Read the first snapshot whole and of the others only what is used.

    Raises
    ------
    InputError
        File missing, empty, damaged, truncated, of another system, or of fewer than two snapshots.
    """
    existing(path)
    header = read_dcd_header(path) if path.suffix.lower() == ".dcd" else None
    if header is not None:
        _refuse_truncated(path, header)
    topology = mdtraj.Topology.from_openmm(complex.topology)
    _refuse_other_atoms(path, topology.n_atoms)
    atoms = np.concatenate([complex.backbone[:, 1], complex.ligand_sites])
    order = np.argsort(atoms)  # MDTraj reads in file order
    first = _load(path, topology, np.arange(topology.n_atoms), frame=0)
    every = _load(path, topology, atoms[order])
    if every.n_frames < 2:
        raise InputError(f"{path.name} has {every.n_frames} snapshot; two or more are needed")
    selected = np.empty(every.xyz.shape, dtype=np.float64)
    selected[:, order] = every.xyz
    whole_first = first.xyz[0].astype(np.float64)
    return RawFrames(
        path.name, whole_first, atoms, selected, _boxes(every), _times(path, every, header)
    )


def _refuse_truncated(path: Path, header: DCDHeader) -> None:
    if header.snapshots > header.complete or header.rest:
        promised = f"its header promises {header.snapshots}" if header.snapshots else "then it ends"
        raise InputError(
            f"{path.name} is truncated: {header.complete} whole snapshots, {promised}; "
            "copy it again, or cut it to whole snapshots"
        )


def _refuse_other_atoms(path: Path, expected: int) -> None:
    try:
        with _quiet(), mdtraj.open(str(path)) as file:
            found = np.shape(file.read(n_frames=1)[0])[1]
    except (ImportError, OSError, RuntimeError, ValueError, IndexError, TypeError) as error:
        raise _unreadable(path, error) from error
    if found != expected:
        raise InputError(
            f"{path.name} has {found} atoms, the complex has {expected}; "
            "give the structure the trajectory was made with"
        )


def _load(
    path: Path, topology: mdtraj.Topology, atoms: np.ndarray, frame: int | None = None
) -> mdtraj.Trajectory:
    # HDF5 carries a topology of its own and MDTraj refuses a second one
    own = {} if path.suffix.lower() in _HDF5 else {"top": topology}
    try:
        with _quiet():
            return mdtraj.load(str(path), atom_indices=atoms, frame=frame, **own)
    except (ImportError, OSError, RuntimeError, ValueError, IndexError, TypeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, ImportError):
        return InputError(f"{path.name}: MDTraj needs PyTables for HDF5; pip install tables")
    return InputError(f"cannot read {path.name}, it may be damaged or truncated: {one_line(error)}")


@contextmanager
def _quiet() -> Iterator[None]:
    """MDTraj's warnings about what is checked here anyway."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _boxes(trajectory: mdtraj.Trajectory) -> np.ndarray | None:
    vectors = trajectory.unitcell_vectors
    if vectors is None or np.linalg.norm(vectors, axis=-1).min() < SMALLEST_BOX:
        return None
    return vectors.astype(np.float64)


def _times(
    path: Path, trajectory: mdtraj.Trajectory, header: DCDHeader | None
) -> np.ndarray | None:
    """Time stamps in ps; None where MDTraj would make them up by counting."""
    if header is not None:
        if header.interval_ps is None:
            return None
        return header.interval_ps * np.arange(trajectory.n_frames)
    if path.suffix.lower() not in _STAMPED:
        return None
    times = np.asarray(trajectory.time, dtype=np.float64)
    return times if np.ptp(times) > 0 else None


_AKMA_PS = 0.04888821  # CHARMM's unit of time in ps, as OpenMM and MDAnalysis have it
_MAGIC = b"CORD"


@dataclass(frozen=True)
class DCDHeader:
    """Length and time step of a DCD file.

    Attributes
    ----------
    snapshots : int
        As the header says; 0 when the writer left it open.
    complete : int
        Snapshots that are whole in the file.
    rest : int
        Bytes after the last whole snapshot; not 0 when the file was cut.
    atoms : int
    interval_ps : float or None
        Time between snapshots, None when the writer left the placeholder 1 (VMD, MDTraj).
    """

    snapshots: int
    complete: int
    rest: int
    atoms: int
    interval_ps: float | None


def read_dcd_header(path: Path) -> DCDHeader:
    """Read the header; an InputError when the file is no DCD or ends within its header."""
    with path.open("rb") as file:
        head = file.read(92)
        if len(head) < 92 or head[4:8] != _MAGIC:
            raise InputError(f"{path.name} is not a DCD file, or ends within its header")
        order = "<" if head[:4] == struct.pack("<i", 84) else ">"
        control = struct.unpack(f"{order}20i", head[8:88])
        charmm = control[19] != 0
        (delta,) = struct.unpack_from(f"{order}{'f' if charmm else 'd'}", head, 44)
        try:
            (title,) = struct.unpack(f"{order}i", file.read(4))
            file.seek(title + 4, 1)
            atoms = struct.unpack(f"{order}3i", file.read(12))[1]
        except struct.error:
            raise InputError(f"{path.name} ends within its header; it is truncated") from None
        start = file.tell()
    frame = 3 * (4 * atoms + 8)
    if charmm:
        frame += 56 * (control[10] != 0) + (4 * atoms + 8) * (control[11] != 0)
    complete, rest = divmod(path.stat().st_size - start, frame)
    if control[8]:  # fixed atoms are in the first snapshot only, so lengths differ
        complete, rest = control[0], 0
    placeholder = delta in (0.0, 1.0) and control[2] <= 1
    interval = None if placeholder else delta * max(control[2], 1) * _AKMA_PS
    return DCDHeader(control[0], complete, rest, atoms, interval)
