"""Headers of TRR and NetCDF files, checked before a reader trusts the lengths in them."""

from __future__ import annotations

import struct
from pathlib import Path

from scipy.io import netcdf_file

from ..errors import InputError


def damaged(name: str, reason: str, snapshot: int | None = None) -> InputError:
    """Error of a damaged file, to be raised.

    Parameters
    ----------
    name : str
        Of the file.
    reason : str
    snapshot : int, optional
        Where the damage is, counted from 0.
    """
    place = "" if snapshot is None else f"snapshot {snapshot}: "
    return InputError(f"cannot read {name}, it may be damaged or truncated: {place}{reason}")


_TITLE = struct.pack(">3i", 1993, 13, 12) + b"GMX_trn_file"
_HEAD = len(_TITLE) + 13 * 4
_MOST_ATOMS = 2**28


def check_trr(path: Path) -> int:
    """Check the header of every frame.

    Returns
    -------
    int
        Atoms in the file.

    Raises
    ------
    InputError
        The file ends within a frame, or a frame contradicts itself.
    """
    size, start, frame, atoms = path.stat().st_size, 0, 0, -1
    with path.open("rb") as file:
        while start < size:
            file.seek(start)
            head = file.read(_HEAD)
            if len(head) < _HEAD or not head.startswith(_TITLE):
                raise damaged(path.name, "it has no whole header", frame)
            lengths = struct.unpack(">10i", head[len(_TITLE) : len(_TITLE) + 40])
            (count,) = struct.unpack(">i", head[len(_TITLE) + 40 : len(_TITLE) + 44])
            atoms = count if frame == 0 else atoms
            if not 0 < count == atoms < _MOST_ATOMS:
                raise damaged(path.name, f"{count} atoms", frame)
            start += _HEAD + _body(path, frame, lengths, count)
            if start > size:
                raise damaged(path.name, "it ends within its coordinates", frame)
            frame += 1
    return atoms


def _body(path: Path, frame: int, lengths: tuple[int, ...], atoms: int) -> int:
    """Bytes after the header of a frame.

    Parameters
    ----------
    path : Path
    frame : int
    lengths : tuple of 10 int
        Bytes of input record, energies, cell, virial, pressure, topology, symbols, positions,
        velocities and forces.
    atoms : int
    """
    cell, virial, pressure, positions, velocities, forces = *lengths[2:5], *lengths[7:]
    unused = (*lengths[:2], *lengths[5:7])
    width = positions // (3 * atoms)  # bytes of a number
    good = (
        not any(unused)
        and width in (4, 8)
        and positions == 3 * atoms * width
        and all(part in (0, 9 * width) for part in (cell, virial, pressure))
        and all(part in (0, positions) for part in (velocities, forces))
    )
    if not good:
        raise damaged(path.name, "its lengths contradict each other", frame)
    return 2 * width + sum(lengths)


_CLASSIC = (b"CDF\x01", b"CDF\x02")


def check_netcdf(path: Path) -> None:
    """Check that a file of the classic format is as long as its header says.

    Its variables are mapped, not read: a damaged number of snapshots costs no memory.  NetCDF-4
    files are HDF5 files, whose library checks them.

    Raises
    ------
    ValueError, TypeError, LookupError, AssertionError
        The header is damaged, or promises more than the file holds.
    """
    with path.open("rb") as file:
        if file.read(4) not in _CLASSIC:
            return
    try:
        netcdf_file(str(path), mmap=True).close()
    except SyntaxError as error:  # of a type that SciPy writes down from the variables' names
        raise ValueError(f"strange names of variables: {error}") from error
