"""Frames of an XTC file, walked through before the C reader sees them: it trusts every length."""

from __future__ import annotations

import math
import struct
from pathlib import Path

from ..errors import InputError

_HEAD, _PACKED = 56, 36  # bytes up to the second number of atoms, and from there to the data
_MAGIC = 1995
_PLAIN = 9  # so few atoms are written without compression
_SMALL = range(9, 73)  # entries of the format's table of sizes
_WIDEST = 2**30


def check_xtc(path: Path) -> int:
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
            head = file.read(_HEAD + _PACKED)
            if len(head) < _HEAD:
                raise InputError(_damaged(path, frame, "it ends within its header"))
            magic, count = struct.unpack(">2i", head[:8])
            numbers = struct.unpack(">10f", head[12:52])
            (again,) = struct.unpack(">i", head[52:56])
            atoms = count if frame == 0 else atoms
            if magic != _MAGIC or not 0 < count == again == atoms:
                raise InputError(_damaged(path, frame, f"{count} and {again} atoms"))
            if not all(map(math.isfinite, numbers)):
                raise InputError(_damaged(path, frame, "time or cell is not a number"))
            start += _HEAD + (12 * count if count <= _PLAIN else _packed(path, frame, head, count))
            if start > size:
                raise InputError(_damaged(path, frame, "it ends within its coordinates"))
            frame += 1
    return atoms


def _packed(path: Path, frame: int, head: bytes, atoms: int) -> int:
    """Bytes of the compressed coordinates and their header."""
    if len(head) < _HEAD + _PACKED:
        raise InputError(_damaged(path, frame, "it ends within its header"))
    precision, *rest = struct.unpack(">f8i", head[_HEAD : _HEAD + _PACKED])
    least, most, (small, length) = rest[:3], rest[3:6], rest[6:]
    spans = [b - a for a, b in zip(least, most, strict=True)]
    good = (
        0 < precision < 1e9
        and all(0 <= span < _WIDEST for span in spans)
        and small in _SMALL
        and 0 < length <= 4 * int(3.6 * atoms) - 12
    )
    if not good:
        raise InputError(_damaged(path, frame, "its compression cannot be"))
    return _PACKED + (length + 3) // 4 * 4


def _damaged(path: Path, frame: int, reason: str) -> str:
    return f"cannot read {path.name}, it may be damaged or truncated: snapshot {frame}: {reason}"
