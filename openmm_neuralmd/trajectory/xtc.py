"""Frames of an XTC file, walked through before the C reader sees them: it trusts every number.

The reader (MDTraj's, GROMACS's own in origin) writes as many coordinates as the compressed stream
says, wherever they land.  Here the stream's lengths alone are followed, all frames side by side: it
has to end at its last atom, within its bytes, and to stay within the format's table of sizes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .headers import damaged

_HEAD, _PACKED = 56, 36  # bytes up to the second number of atoms, and from there to the data
_MAGIC = 1995
_PLAIN = 9  # so few atoms are written without compression
_SMALL = range(9, 73)  # entries of the format's table of sizes
_WIDEST = 2**30
_APART = 2**24  # a span from here on is stored axis by axis
_TOGETHER = 1024  # frames that are walked through side by side
_LONGEST = 2**28  # bytes of frames in memory at once


@dataclass(frozen=True)
class _Frame:
    """Place of a frame's compressed coordinates, and the start of its stream."""

    number: int
    start: int  # byte in the file
    length: int  # bytes
    bits: int  # of a coordinate that is stored whole
    small: int  # index into the table of sizes: the bits of one stored as a difference


def check_xtc(path: Path) -> int:
    """Check every frame of a file; once, as long as the file does not change.

    Returns
    -------
    int
        Atoms in the file.

    Raises
    ------
    InputError
        The file ends within a frame, or a frame contradicts itself.
    """
    status = path.stat()
    return _checked(path.absolute(), status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=64)
def _checked(path: Path, size: int, *_: int) -> int:
    atoms = -1
    with path.open("rb") as file:
        if size >= _HEAD:
            (atoms,) = struct.unpack(">i", file.read(8)[4:])
        together = max(1, min(_TOGETHER, _LONGEST // max(1, 12 * atoms)))
        headers = _headers(path, file, size, atoms)
        while frames := list(islice(headers, together)):
            _check_streams(path, file, frames, atoms)
    return atoms


def _headers(path: Path, file: BinaryIO, size: int, atoms: int) -> Iterator[_Frame]:
    """Walk from header to header; yields frames that are compressed."""
    start = number = 0
    while start < size:
        file.seek(start)
        head = file.read(_HEAD + _PACKED)
        if len(head) < _HEAD:
            raise damaged(path.name, "it ends within its header", number)
        magic, count = struct.unpack(">2i", head[:8])
        numbers = struct.unpack(">10f", head[12:52])
        (again,) = struct.unpack(">i", head[52:56])
        if magic != _MAGIC or not 0 < count == again == atoms:
            raise damaged(path.name, f"{count} and {again} atoms", number)
        if not all(map(math.isfinite, numbers)):
            raise damaged(path.name, "time or cell is not a number", number)
        start += _HEAD
        if count <= _PLAIN:
            start += 12 * count
        else:
            frame = _packed(path, number, head, start, count)
            start = frame.start + (frame.length + 3) // 4 * 4
        if start > size:
            raise damaged(path.name, "it ends within its coordinates", number)
        if count > _PLAIN:
            yield frame
        number += 1


def _packed(path: Path, number: int, head: bytes, start: int, atoms: int) -> _Frame:
    """Header of the compressed coordinates, which begins at a byte of the file."""
    if len(head) < _HEAD + _PACKED:
        raise damaged(path.name, "it ends within its header", number)
    precision, *rest = struct.unpack(">f8i", head[_HEAD : _HEAD + _PACKED])
    least, most, (small, length) = rest[:3], rest[3:6], rest[6:]
    sizes = [b - a + 1 for a, b in zip(least, most, strict=True)]
    good = (
        0 < precision < 1e9
        and all(0 < size <= _WIDEST for size in sizes)
        and small in _SMALL
        and 0 < length <= 4 * int(3.6 * atoms) - 12
    )
    if not good:
        raise damaged(path.name, "its compression cannot be", number)
    if max(sizes) >= _APART:
        bits = sum(size.bit_length() for size in sizes)
    else:
        bits = math.prod(sizes).bit_length()
    return _Frame(number, start + _PACKED, length, bits, small)


def _check_streams(path: Path, file: BinaryIO, frames: list[_Frame], atoms: int) -> None:
    """Follow the streams of some frames side by side.

    A stream repeats: one atom whole; one bit that says whether five bits follow; with these, how
    many atoms come next as differences (kept until it is said anew), and whether differences take
    fewer or more bits from then on; these atoms.
    """
    content = bytearray()
    starts = []
    for frame in frames:
        starts.append(8 * len(content))
        file.seek(frame.start)
        content += file.read(frame.length)
    stream = np.frombuffer(bytes(content) + bytes(32), dtype=np.uint8)
    lengths = np.array([frame.length for frame in frames])
    position = np.array(starts)
    state = np.stack([
        position,
        position + 8 * lengths,
        [frame.bits for frame in frames],
        [frame.small for frame in frames],
        np.full(len(frames), atoms),  # atoms that are still to come
        np.zeros(len(frames), dtype=np.int64),  # atoms in a run of differences
        [frame.number for frame in frames],
    ])  # fmt: skip
    while state.size:
        position, end, bits, small, left, run, number = state
        position += bits
        byte = position >> 3
        window = (stream[byte].astype(np.int64) << 8 | stream[byte + 1]) << (position & 7)
        said = (window >> 15) & 1 == 1
        five = (window >> 10) & 31
        run[:] = np.where(said, five // 3, run)
        position += np.where(said, 6, 1) + run * small
        left -= 1 + run
        small += np.where(said, five % 3 - 1, 0)
        bad = (left < 0) | (position > end) | (small < _SMALL.start) | (small >= _SMALL.stop)
        if bad.any():
            raise damaged(
                path.name, "its coordinates do not fit their lengths", int(number[bad].min())
            )
        if not left.all():
            state = state[:, left > 0]
