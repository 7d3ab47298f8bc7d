"""MDTraj's HDF5 trajectories, read with h5py.

MDTraj reads them through PyTables, which unpickles attributes of the file: opening one would run
code of whoever wrote it.  Only the arrays are read here, and the text of one attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import mdtraj
import numpy as np

from ..errors import InputError
from ..utils.hdf5 import dataset, opened

SUFFIXES = (".h5", ".hdf5")

_NM = {"nanometers": 1.0, "nanometer": 1.0, "nm": 1.0, "angstroms": 0.1, "angstrom": 0.1}
_BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class HDF5Frames:
    """Arrays of an HDF5 trajectory.

    Attributes
    ----------
    xyz : (T, M, 3) float32, nm
    boxes : (T, 3, 3) float32, nm, or None
    times : (T,) float64, ps, or None
        None where the file has no times.
    atoms : int
        Atoms in the file, whichever were read.
    """

    xyz: np.ndarray
    boxes: np.ndarray | None
    times: np.ndarray | None
    atoms: int


def read_hdf5(
    path: Path, atoms: np.ndarray | None = None, frames: slice = slice(None)
) -> HDF5Frames:
    """Read some frames and atoms of an HDF5 trajectory.

    Parameters
    ----------
    path : Path
    atoms : (M,) int64, optional
        Indices, increasing; all by default.
    frames : slice
        Without a step.

    Raises
    ------
    InputError
        Not HDF5, not a trajectory, damaged, or with links out of the file.
    """
    with opened(path) as file:
        data = dataset(file, "coordinates", path.name)
        if data.ndim != 3 or data.shape[2] != 3 or not data.shape[1]:
            raise InputError(f"{path.name}: coordinates have shape {data.shape}, not (T, N, 3)")
        count = data.shape[0]
        first, last, _ = frames.indices(count)
        chosen = np.arange(data.shape[1]) if atoms is None else atoms
        xyz = _nm(data, path) * _selected(data, chosen, first, last)
        times = _times(file, path, count)
        return HDF5Frames(
            xyz.astype(np.float32),
            _boxes(file, path, count, slice(first, last)),
            None if times is None else times[first:last],
            data.shape[1],
        )


def _selected(data: h5py.Dataset, atoms: np.ndarray, first: int, last: int) -> np.ndarray:
    """Block by block, so that only the chosen atoms are in memory at once."""
    if len(atoms) and atoms[-1] >= data.shape[1]:
        raise InputError(f"the trajectory has {data.shape[1]} atoms; atom {atoms[-1]} was asked")
    step = max(1, _BLOCK_BYTES // (8 * 3 * data.shape[1]))
    xyz = np.empty((max(last - first, 0), len(atoms), 3), dtype=np.float32)
    for start in range(first, last, step):
        stop = min(start + step, last)
        xyz[start - first : stop - first] = data[start:stop][:, atoms]
    return xyz


def _nm(data: h5py.Dataset, path: Path) -> float:
    """nm per unit of length; nanometers where the file does not say, as MDTraj has it."""
    unit = data.attrs.get("units", "nanometers")
    text = unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)
    if text.strip("\0 ").lower() not in _NM:
        raise InputError(f"{path.name}: coordinates are in '{text[:40]}'; nanometers are due")
    return _NM[text.strip("\0 ").lower()]


def _times(file: h5py.File, path: Path, count: int) -> np.ndarray | None:
    if "time" not in file:
        return None
    times = np.asarray(dataset(file, "time", path.name)[:], dtype=np.float64)
    if times.shape != (count,):
        raise InputError(f"{path.name} has {count} snapshots and times of shape {times.shape}")
    return times


def _boxes(file: h5py.File, path: Path, count: int, frames: slice) -> np.ndarray | None:
    if "cell_lengths" not in file or "cell_angles" not in file:
        return None
    cells = [dataset(file, name, path.name)[:] for name in ("cell_lengths", "cell_angles")]
    if any(cell.shape != (count, 3) for cell in cells):
        raise InputError(f"{path.name}: unit cells have shape {cells[0].shape}, not ({count}, 3)")
    lengths, angles = (np.asarray(cell[frames], dtype=np.float64) for cell in cells)
    vectors = mdtraj.utils.lengths_and_angles_to_box_vectors(*lengths.T, *angles.T)
    return np.stack(vectors, axis=1)
