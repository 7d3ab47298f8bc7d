"""Unit cells in structure files: valid ones, placeholders, and damaged ones."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
from openmm import app, unit

SMALLEST_BOX = 1.0
"""nm; a shorter vector is a placeholder such as CRYST1 1 1 1."""
DENSEST = 250.0
"""Atoms per nm³; water has 100, and no cell can be smaller than its molecules."""

_WIDEST = 1e5  # Å
_FLATTEST = 0.01  # volume over the product of the lengths; a true cell has more than a half
_NOTHING = frozenset(("", ".", "?"))


class CellWarning(UserWarning):
    """The unit cell of a structure file is none; the structure was read without a box."""


def is_cell(values: Sequence[str], file: str) -> bool:
    """Test whether six values describe a unit cell.

    Lengths that are not given or zero are how formats say that there is none.  What can be no cell
    is left out with a warning.

    Parameters
    ----------
    values : sequence of 6 str
        Lengths in Å and angles in degrees.
    file : str
        For the warning.
    """
    words = [value.strip() for value in values]
    if _NOTHING.intersection(words[:3]):
        return False
    try:
        a, b, c, *angles = map(float, words)
    except ValueError:
        a = b = c = math.nan
        angles = [90.0] * 3
    if 0.0 in (a, b, c):
        return False
    if all(0 < length < _WIDEST for length in (a, b, c)) and _flatness(angles) > _FLATTEST:
        return True
    warnings.warn(
        f"{file}: {' '.join(words)} is no unit cell; read without a box", CellWarning, stacklevel=2
    )
    return False


def _flatness(angles: Sequence[float]) -> float:
    """Volume of a cell with edges of length 1; 0 where the angles (in degrees) close none."""
    if not all(0 < angle < 180 for angle in angles):
        return 0.0
    x, y, z = (math.cos(math.radians(angle)) for angle in angles)
    return math.sqrt(max(0.0, 1 - x * x - y * y - z * z + 2 * x * y * z))


def leave_out_tight_cell(topology: app.Topology, file: str) -> None:
    """Remove a topology's unit cell if it is smaller than the molecules, with a warning."""
    vectors = topology.getPeriodicBoxVectors()
    if vectors is None:
        return
    box = np.array(vectors.value_in_unit(unit.nanometer), dtype=np.float64)
    placeholder = np.linalg.norm(box, axis=1).min() < SMALLEST_BOX
    if placeholder or np.abs(np.linalg.det(box)) * DENSEST > topology.getNumAtoms():
        return
    topology.setPeriodicBoxVectors(None)
    warnings.warn(
        f"{file}: its unit cell is too small for {topology.getNumAtoms()} atoms; read without a "
        "box",
        CellWarning,
        stacklevel=2,
    )
