"""The solvers of NeuralMD-ODE: order, stability limit and tableau, by torchdiffeq's names."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple


class Tableau(NamedTuple):
    """Butcher tableau of an explicit method: rows of `a` for each stage, and the weights `b`."""

    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]


class Solver(NamedTuple):
    """Properties of a solver.

    Attributes
    ----------
    stability_limit : float
        Largest γ times the step: beyond it, each step of the solver makes a velocity longer.
    order : int or None
        Convergence order; None for a solver that chooses its own steps.
    tableau : Tableau or None
        Its step, which is written out for OpenMM; None where it cannot run there.

    Examples
    --------
    >>> from openmm_neuralmd.dynamics.solvers import SOLVERS
    >>> SOLVERS["rk4"].order
    4
    """

    stability_limit: float
    order: int | None = None
    tableau: Tableau | None = None


def _row(text: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(word) for word in text.split())


SOLVERS: dict[str, Solver] = {
    "euler": Solver(2.0, 1, Tableau((_row(""),), _row("1"))),
    "midpoint": Solver(2.0, 2, Tableau((_row(""), _row("1/2")), _row("0 1"))),
    # Kutta's 3/8 rule, which is what torchdiffeq calls 'rk4'.
    "rk4": Solver(
        2.78,
        4,
        Tableau(
            (_row(""), _row("1/3"), _row("-1/3 1"), _row("1 -1 1")),
            _row("1/8 3/8 3/8 1/8"),
        ),
    ),
    "dopri5": Solver(math.inf),
}
"""The solvers, by torchdiffeq's names."""
