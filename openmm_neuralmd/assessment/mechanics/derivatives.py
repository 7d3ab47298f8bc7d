"""Finite-difference test of a force against its energy, and the symmetry of its Jacobian.

Differences are central and of fourth order:
f′(x) ≈ (f(x − 2h) − 8 f(x − h) + 8 f(x + h) − f(x + 2h)) / 12 h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...analysis.coordinates import Array

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


def derivatives_of(
    evaluate: Callable[[Array], tuple[float, Array]], x: Array, step: float = STEP
) -> tuple[Array, Array]:
    """Gradient of the energy (n, 3) and Jacobian of the forces (3n, 3n).

    Row i of the Jacobian is the derivative of all force components by coordinate i.

    Parameters
    ----------
    evaluate : callable
        Positions (n, 3) to energy and forces (n, 3).
    x : array (n, 3)
        Where.
    step : float
        h, in the unit of x.
    """

    def together(y: Array) -> Array:
        energy, forces = evaluate(y)
        return np.append(forces.ravel(), energy)

    rows = differences(together, x, step)
    return rows[:, -1].reshape(x.shape), rows[:, :-1]


def gradient_error(forces: Array, slope: Array) -> float:
    """Largest |F + dE/dx| of a coordinate over the largest |F|."""
    return float(np.abs(forces + slope).max() / np.abs(forces).max())


def asymmetry(matrix: Array) -> float:
    """‖J − Jᵀ‖ / 2‖J‖: 0 for a symmetric matrix, 1 for an antisymmetric one.

    A matrix of independent numbers has 0.71.
    """
    return float(np.linalg.norm(matrix - matrix.T) / (2 * np.linalg.norm(matrix)))
