"""Errors a user can act on: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable


class NeuralMDError(Exception):
    """Base of every error this package raises on purpose."""

    def __str__(self) -> str:
        """Return the message as one line, also where a file's name has line breaks."""
        return super().__str__().replace("\n", "\\n")


class InputError(NeuralMDError):
    """A file, structure or argument cannot be used as given."""


class ModelError(NeuralMDError):
    """A model does not fit what it is asked to do (stride, elements, version, damaged file)."""


class SimulationError(NeuralMDError):
    """A run cannot go on: not-a-number, or the ligand left the region the model knows."""


class ProgramError(NeuralMDError):
    """An outside program is missing, or failed."""


def shown(items: Iterable[str], most: int = 5) -> str:
    """A list for a message, cut after a few items."""
    every = list(items)
    rest = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def one_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type when it has none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip("# \t")]
    return lines[0] if lines else type(error).__name__


DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a write for which there is no room."""


def system_error(error: OSError) -> str:
    """Describe an error of the operating system: the file, the reason, and what helps."""
    place = f"{error.filename}: " if error.filename else ""
    reason = os.strerror(error.errno) if error.errno is not None else one_line(error)
    room = (
        "; make room where the output and temporary files go (TMPDIR), then run the command again"
    )
    return f"{place}{reason}{room if error.errno in DISK_FULL else ''}"
