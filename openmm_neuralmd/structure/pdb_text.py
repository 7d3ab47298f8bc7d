"""Text of PDB records: element columns and serial numbers, and what to do where they fail."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator

from openmm.app import element

from ..errors import shown
from .residues import CAPS, IONS, PARENT, WATER

UNKNOWN = frozenset("UNX UNK UNL".split())
"""Residue names that the PDB gives to density of unknown origin."""
_TWO_LETTERS = frozenset("CL BR SI SE FE ZN MG MN CU".split())
"""What two letters can mean in a molecule; in other pairs the first letter is the element."""


class ElementWarning(UserWarning):
    """Elements were taken from atom names, or atoms of no element were left out."""


def is_atom(line: str) -> bool:
    """Test whether a line is an ATOM or HETATM record."""
    return line.startswith(("ATOM", "HETATM"))


def without_unknown_atoms(lines: list[str], file: str) -> list[str]:
    """The lines without atoms of element X in residues UNX, UNK or UNL, with a warning."""
    unknown = [
        is_atom(line)
        and line[17:20].strip() in UNKNOWN
        and line[76:78].strip().upper() in ("X", "")
        and line[12:16].strip().startswith(("U", "X"))
        for line in lines
    ]
    if not any(unknown):
        return lines
    warn_of_unknown_atoms(
        (
            f"{line[17:20].strip()} {line[21:22].strip()}:{line[22:27].strip()}"
            for line, leave in zip(lines, unknown, strict=True)
            if leave
        ),
        file,
    )
    return [line for line, leave in zip(lines, unknown, strict=True) if not leave]


def warn_of_unknown_atoms(places: Iterable[str], file: str) -> None:
    """Say which residues ('UNX A:900') have lost atoms; nothing where there are none."""
    each = Counter(places)
    if each:
        warnings.warn(
            f"{file}: atoms of unknown element left out: {shown(each)}",
            ElementWarning,
            stacklevel=3,
        )


def with_elements(lines: list[str], file: str) -> list[str]:
    """The lines with the element column filled where it is empty, outside of the protein.

    OpenMM takes a name that begins with NA for sodium, also that of a nitrogen of a ligand.  A name
    that begins in the second of its four columns has a one-letter element; a metal is taken from
    the name only where a residue is that one atom.
    """
    empty = [is_atom(line) and not line[76:78].strip() and _is_foreign(line) for line in lines]
    if not any(empty):
        return lines
    sizes = Counter(_residue(line) for line in lines if is_atom(line))
    filled, guessed = [], dict[str, str]()
    for line, missing in zip(lines, empty, strict=True):
        symbol = _symbol(line, sizes[_residue(line)]) if missing else None
        if symbol is None:
            filled.append(line)
            continue
        guessed[line[17:20].strip()] = ""
        body = line.rstrip("\r\n")
        filled.append(f"{body[:76]:<76}{symbol:>2}{body[78:]}\n")
    if guessed:
        warnings.warn(
            f"{file}: no element column (77–78); elements of {shown(guessed)} were taken from the "
            "atoms' names",
            ElementWarning,
            stacklevel=2,
        )
    return filled


def _is_foreign(line: str) -> bool:
    name = line[17:20].strip()
    return name not in PARENT and name not in CAPS and name not in WATER and name not in IONS


def _residue(line: str) -> str:
    return line[17:27]


def _symbol(line: str, size: int) -> str | None:
    """Symbol of an element, None where the name says none."""
    columns = line[12:16].upper()
    name = columns.strip().lstrip("0123456789")
    two = name[:2]
    alone = size == 1 and two.isalpha() and is_element(two)
    begins_early = columns[0].isalpha()
    if alone or (begins_early and two in _TWO_LETTERS):
        return two
    return name[:1] if is_element(name[:1]) else None


def is_element(symbol: str) -> bool:
    """Test whether a symbol, in upper or lower case, is that of an element."""
    try:
        element.get_by_symbol(symbol.capitalize())
    except KeyError:
        return False
    return True


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
