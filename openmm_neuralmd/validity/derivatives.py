"""Whether a force is the slope of an energy: finite differences, and the symmetry of its Jacobian.

Differences are central and of fourth order:
f′(x) ≈ (f(x − 2h) − 8 f(x − h) + 8 f(x + h) − f(x + 2h)) / 12 h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..analysis.coordinates import Array
from .field import VectorField

STEP = 1e-4
"""h, nm: rounding and truncation are both below 1e-9 of a bonded force there."""
_STENCIL = ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0))


def differences(function: Callable[[Array], Any], x: Array, step: float = STEP) -> Array:
    """Derivative of a function of positions (n, 3) by each coordinate, (3n, ...)."""
    rows = []
    for place in np.ndindex(x.shape):
        total: Any = 0.0
        for offset, weight in _STENCIL:
            moved = x.copy()
            moved[place] += offset * step
            total = total + weight * np.asarray(function(moved), dtype=np.float64)
        rows.append(total / (12 * step))
    return np.array(rows)


def gradient_error(
    energy: Callable[[Array], float], forces: VectorField, x: Array, step: float = STEP
) -> float:
    """Largest |F + dE/dx| of a coordinate over the largest |F|."""
    here = forces(x)
    slope = differences(energy, x, step).reshape(x.shape)
    return float(np.abs(here + slope).max() / np.abs(here).max())


def jacobian(forces: VectorField, x: Array, step: float = STEP) -> Array:
    """J (3n, 3n), row i the derivative of all force components by coordinate i."""
    return differences(lambda y: forces(y).ravel(), x, step)


def asymmetry(matrix: Array) -> float:
    """‖J − Jᵀ‖ / 2‖J‖: 0 for a symmetric matrix, 1 for an antisymmetric one.

    A matrix of independent numbers has 0.71.
    """
    return float(np.linalg.norm(matrix - matrix.T) / (2 * np.linalg.norm(matrix)))
