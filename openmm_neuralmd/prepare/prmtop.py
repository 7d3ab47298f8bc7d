"""Check that an Amber prmtop is complete, since its readers accept one that is cut."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path

from ..errors import InputError

# Section to how many values it has: a factor, and where POINTERS (or 'atoms') tells the number.
_ATOMS, _RESIDUES, _EXCLUDED = 0, 11, 10
_LENGTHS = {
    "ATOM_NAME": (1, _ATOMS),
    "CHARGE": (1, _ATOMS),
    "MASS": (1, _ATOMS),
    "ATOM_TYPE_INDEX": (1, _ATOMS),
    "RESIDUE_LABEL": (1, _RESIDUES),
    "BONDS_INC_HYDROGEN": (3, 2),
    "BONDS_WITHOUT_HYDROGEN": (3, 12),
    "ANGLES_INC_HYDROGEN": (4, 4),
    "ANGLES_WITHOUT_HYDROGEN": (4, 13),
    "DIHEDRALS_INC_HYDROGEN": (5, 6),
    "DIHEDRALS_WITHOUT_HYDROGEN": (5, 14),
    "EXCLUDED_ATOMS_LIST": (1, _EXCLUDED),
    "RADII": (1, _ATOMS),
    "SCREEN": (1, _ATOMS),
}


def check_whole(path: Path) -> None:
    """Check that every section has the number of values that POINTERS says.

    Raises
    ------
    InputError
        The file is half-written.
    """
    sections = _sections(path.read_text(errors="replace"))
    try:
        pointers = [int(value) for value in " ".join(sections["POINTERS"][1]).split()]
        for name, (factor, pointer) in _LENGTHS.items():
            expected, actual = factor * pointers[pointer], _count(*sections[name])
            if actual < expected:
                raise InputError(
                    f"cannot read {path.name}: it is half-written: {name} has {actual} of "
                    f"{expected} values; write or copy it again"
                )
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(
            f"cannot read {path.name}: it is half-written, or no prmtop: section "
            f"{str(error) if isinstance(error, KeyError) else 'POINTERS'} is missing or cut"
        ) from error


def _sections(text: str) -> dict[str, tuple[int, list[str]]]:
    """Map each section's name to its width of a value and its lines."""
    sections = {}
    for block in text.split("%FLAG ")[1:]:
        lines = block.splitlines()
        formats = [re.search(r"\((\d+)[aEI](\d+)", line, re.I) for line in lines[1:3]]
        width = next((int(f.group(2)) for f in formats if f is not None), 1)
        values = [line for line in lines[1:] if not line.startswith("%")]
        sections[lines[0].strip()] = width, values
    return sections


def _count(width: int, lines: list[str]) -> int:
    return sum(ceil(len(line.rstrip("\n")) / width) for line in lines)
