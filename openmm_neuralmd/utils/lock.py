"""One process at a time on one output: a lock that ends with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import InputError

_held: dict[Path, int] = {}
"""Descriptors of lock files.  They stay open: closing any descriptor of a file lifts its lock.

File objects would warn when the interpreter ends, depending on the order of other modules.
"""


class Lock:
    """A lock on a folder, held until `release` or until this process ends.

    It belongs to the process, not to the object: a run that was interrupted in a notebook can go
    on there.

    Parameters
    ----------
    folder : Path
        Must exist; gets a file 'lock'.

    Raises
    ------
    InputError
        Another process holds it.
    """

    def __init__(self, folder: Path, name: str = "lock") -> None:
        self.path = folder.resolve() / name
        held = _held.get(self.path)
        if held is not None:
            if _same(held, self.path):
                return
            os.close(_held.pop(self.path))  # its file was removed
        while True:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError) as error:
                os.close(file)
                raise InputError(f"{folder}: another process is working on this run") from error
            if _same(file, self.path):
                _held[self.path] = file
                return
            os.close(file)  # its owner finished and removed it meanwhile
            folder.mkdir(parents=True, exist_ok=True)

    def release(self) -> None:
        """Give the lock up and remove its file."""
        file = _held.pop(self.path, None)
        self.path.unlink(missing_ok=True)
        if file is not None:
            os.close(file)


def _same(file: int, path: Path) -> bool:
    """Test whether an open file is still the one with this name."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
