"""Coordinates and velocities in the format of GROMOS-96 (g96), which keeps nine decimals.

The other text format of GROMACS, gro, is written by mdrun with three decimals of a nanometre.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_LABEL = 24  # columns before the three numbers of an atom


@dataclass(frozen=True)
class AtomNames:
    """Labels of all atoms, as the lines of the format begin with them."""

    labels: tuple[str, ...]

    @classmethod
    def of(cls, gro: Path) -> AtomNames:
        """The names and numbers in a gro file."""
        lines = gro.read_text().splitlines()
        rows = lines[2 : 2 + int(lines[1])]
        return cls(
            tuple(
                f"{row[:5]} {row[5:10]} {row[10:15].strip():<5}{number % 10_000_000:7d}"
                for number, row in enumerate(rows, start=1)
            )
        )


def write_coordinates(
    path: Path, names: AtomNames, positions: Array, velocities: Array | None, box: Array
) -> None:
    """Write positions (N, 3) in nm, velocities (N, 3) in nm/ps where there are any, and the box."""
    lines = "".join(f"{label}%15.9f%15.9f%15.9f\n" for label in names.labels)
    parts = ["TITLE\nstretch\nEND\nPOSITION\n", lines % tuple(positions.ravel().tolist()), "END\n"]
    if velocities is not None:
        parts += ["VELOCITY\n", lines % tuple(velocities.ravel().tolist()), "END\n"]
    a, b, c = box
    nine = (a[0], b[1], c[2], a[1], a[2], b[0], b[2], c[0], c[1])
    parts += ["BOX\n", "".join(f"{value:15.9f}" for value in nine), "\nEND\n"]
    path.write_text("".join(parts))


def read_coordinates(path: Path) -> tuple[Array, Array, Array]:
    """Positions (N, 3) in nm, velocities (N, 3) in nm/ps, box (3, 3) in nm of a file of mdrun."""
    lines = path.read_text().splitlines()
    return _block(lines, "POSITION"), _block(lines, "VELOCITY"), _box(lines)


def _block(lines: list[str], name: str) -> Array:
    first = lines.index(name) + 1
    rows = lines[first : lines.index("END", first)]
    numbers = "".join(row[_LABEL:] for row in rows)
    if len(numbers) == 45 * len(rows):  # nothing has overflown its columns
        split = [numbers[i : i + 15] for i in range(0, len(numbers), 15)]
        return np.array(split, dtype=np.float64).reshape(-1, 3)
    raise ValueError(f"a number in {name} is too large for its column")


def _box(lines: list[str]) -> Array:
    values = [float(word) for word in lines[lines.index("BOX") + 1].split()]
    box = np.diag(values[:3])
    if len(values) == 9:
        box[0, 1], box[0, 2], box[1, 0], box[1, 2], box[2, 0], box[2, 1] = values[3:]
    return box
