"""HDF5 files read as data: no link out of the file, no array that is larger than its content.

HDF5 lets a file point into others (external links, external storage, virtual datasets) and declare
arrays of any size that take no room on disk.  Readers of this package open files here, and get
plain arrays that are in the file itself.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import InputError, one_line

_RATIO, _FREE = 400, 64 * 2**20
"""An array may take 64 MB, and beyond that at most so many times its room on disk."""


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file for reading.

    Raises
    ------
    InputError
        The file is no HDF5, or damaged; also where the damage shows inside the block.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path.name} is not an HDF5 file, or is damaged or cut short: {one_line(error)}"
        ) from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, UnicodeError) as error:
            raise InputError(
                f"{path.name} cannot be read, it is damaged: {one_line(error)}"
            ) from error


def group_of(file: h5py.File, name: str) -> h5py.Group | None:
    """A group of the file itself; None for a link out of it, a dataset or nothing at all."""
    try:
        hard = isinstance(file.get(name, getlink=True), h5py.HardLink)
        group = file[name] if hard else None
    except (KeyError, OSError, RuntimeError):
        return None
    return group if isinstance(group, h5py.Group) else None


def dataset(group: h5py.Group, name: str, label: str) -> h5py.Dataset:
    """A dataset whose numbers are in this file.

    Parameters
    ----------
    group : h5py.Group
    name : str
    label : str
        File and entry, for messages.

    Raises
    ------
    InputError
        No such dataset; a link; numbers in another file; not numbers; larger than its content.
    """
    link = group.get(name, getlink=True)
    if link is None:
        raise InputError(f"{label} has no {name}")
    if not isinstance(link, h5py.HardLink):
        raise InputError(f"{label}: {name} is a link; copy the data into the file (h5repack)")
    data = group[name]
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iufb" or data.shape is None:
        raise InputError(f"{label}: {name} is no array of numbers")
    if data.is_virtual or data.external:
        raise InputError(f"{label}: the numbers of {name} are in another file; copy them into one")
    size, stored = data.size * max(data.dtype.itemsize, 8), data.id.get_storage_size()
    if size > _FREE + _RATIO * stored:
        raise InputError(
            f"{label}: {name} has shape {data.shape}, but only {stored} bytes of content; "
            "the file is damaged or incomplete"
        )
    if data.chunks and np.prod(data.chunks, dtype=float) * 8 > _FREE + _RATIO * stored:
        raise InputError(f"{label}: {name} has chunks of {data.chunks}, larger than its content")
    return data


class WrittenFile(io.FileIO):
    """A file that HDF5 writes to, and that keeps the first error of a full disk to itself.

    The HDF5 library crashes where a write fails and its objects are closed afterwards, so it never
    learns of it; `check` raises the error when the library has let go of the file.
    """

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write the bytes, or store the error."""
        view = memoryview(data).cast("B")
        try:
            done = 0
            while self.error is None and done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Change the length, or store the error."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return size or 0

    def check(self) -> None:
        """Raise the stored error.

        Raises
        ------
        OSError
        """
        if self.error is not None:
            raise self.error


@contextmanager
def written(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file to write or to add to; a full disk is an OSError after the block.

    Raises
    ------
    OSError
    """
    new = not path.exists() or path.stat().st_size == 0
    with WrittenFile(path, "w+" if new else "r+") as raw:
        try:
            with h5py.File(raw, "w" if new else "r+") as file:
                yield file
        except Exception:
            raw.check()
            raise
        raw.check()
