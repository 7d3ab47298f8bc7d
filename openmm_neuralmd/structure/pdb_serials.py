"""Serial numbers beyond 99,999 in the five columns that PDB gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .pdb_elements import is_atom

_FIRST = 100_000
_LATER = re.compile(r"[A-Z][0-9A-Z]{4}")  # hybrid-36: A0000 is 100,000
_NO_HEXADECIMAL = re.compile(r"[A-Z0-9]*[G-Z][A-Z0-9]*")


def with_readable_serials(lines: list[str]) -> list[str]:
    """The lines with hybrid-36 serials (Maestro, Phenix) in the hexadecimal that OpenMM reads.

    A file counts in hybrid-36 where any of its serials has a letter beyond F.  CONECT records are
    changed too.
    """
    if not any(_NO_HEXADECIMAL.fullmatch(s) for line in lines for _, s in _serials(line)):
        return lines
    return [_rewritten(line) for line in lines]


def _serials(line: str) -> Iterator[tuple[int, str]]:
    """Column and text of the serials of a record."""
    if is_atom(line):
        yield 6, line[6:11].strip()
    elif line.startswith("CONECT"):
        for start in range(6, min(len(line.rstrip()), 31), 5):
            yield start, line[start : start + 5].strip()


def _rewritten(line: str) -> str:
    for start, serial in _serials(line):
        if _LATER.fullmatch(serial):
            number = int(serial, 36) - int("A0000", 36) + _FIRST
            line = f"{line[:start]}{number:5x}{line[start + 5 :]}"
    return line
