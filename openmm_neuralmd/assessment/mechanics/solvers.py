"""Convergence order of solvers, and reversibility of velocity Verlet."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from ...analysis.coordinates import Array
from ...bindingnet.inputs import complex_tensors
from ...dynamics.registry import forecast
from ...model import Model
from ...trajectory.history import History
from .field import VectorField

VERLET_ORDER = 2
FLOOR = 1e-9
"""Differences below this share of the way are rounding."""
HALVINGS = 7
SETTLED = 0.02
"""Orders from successive differences that are as near settle it."""


class Convergence(NamedTuple):
    """Dependence of a solution on the number of its steps.

    Attributes
    ----------
    order : float
        Fitted to the last three differences above rounding.
    steps : tuple of int
        Steps of each solution, doubled each time.
    differences : tuple of float
        Largest distance of an atom between an end and the next finer one.
    first_error : float
        Largest distance of an atom between the coarsest end and the finest.
    """

    order: float
    steps: tuple[int, ...]
    differences: tuple[float, ...]
    first_error: float


def convergence(end: Callable[[int], Array], way: float, first: int = 2) -> Convergence:
    """Halve the step until the order is settled, or differences are rounding errors.

    Parameters
    ----------
    end : callable
        Steps to the positions (n, 3) at the end of a fixed time.
    way : float
        Length of the way, in the unit of `end`: the measure of rounding.
    first : int
        Steps of the coarsest solution.
    """
    gaps: list[float] = []
    steps, ends = [first], [end(first)]
    while len(gaps) < HALVINGS and not _settled(gaps):
        fine = end(2 * steps[-1])
        gap = _farthest(fine, ends[-1])
        if gap <= FLOOR * way and len(gaps) >= 2:
            break
        gaps.append(gap)
        steps.append(2 * steps[-1])
        ends.append(fine)
    tail = np.log2(np.array(gaps[-3:]))
    order = -float(np.polyfit(np.arange(len(tail)), tail, 1)[0])
    return Convergence(order, tuple(steps), tuple(gaps), _farthest(ends[0], ends[-1]))


def _settled(gaps: list[float]) -> bool:
    orders = -np.diff(np.log2(np.array(gaps[-3:])))
    return len(orders) == 2 and bool(abs(orders[1] - orders[0]) < SETTLED)


def _farthest(a: Array, b: Array) -> float:
    """Largest distance of an atom between two geometries (n, 3)."""
    return float(np.linalg.norm(a - b, axis=-1).max())


def model_convergence(model: Model, history: History) -> Convergence:
    """Convergence of one forecast snapshot, in Å, from the model's own steps on.

    The projection on bonds and angles is left out: it is no part of the differential equation.

    Parameters
    ----------
    model : Model
        In double precision, with a `convergence_order`.
    history : History
        Known snapshots.
    """
    c = complex_tensors(model.fitted(history.complex), torch.float64)
    known = torch.as_tensor(history.ligand, dtype=torch.float64).unsqueeze(0)
    valid = torch.ones(known.shape[:2], dtype=torch.bool)

    def end(steps: int) -> Array:
        with torch.no_grad():
            path = forecast(model.dynamics.with_steps(steps), c, known, valid, 1)
        return path[0, 0].numpy()

    first = int(model.dynamics.settings.steps)
    return convergence(end, _farthest(end(first), history.ligand[-1]), first)


def velocity_verlet(
    acceleration: VectorField, x: Array, v: Array, step: float, steps: int
) -> tuple[Array, Array]:
    """Positions and velocities (n, 3) after some steps of velocity Verlet."""
    a = acceleration(x)
    for _ in range(steps):
        v = v + 0.5 * step * a
        x = x + step * v
        a = acceleration(x)
        v = v + 0.5 * step * a
    return x, v


def reversal_error(acceleration: VectorField, x: Array, v: Array, step: float, steps: int) -> float:
    """Largest distance to the start after a run and its reverse, over the longest path of an atom.

    Velocity Verlet is reversible under any force of positions; what forgets (a force with noise,
    a neighbour list that depends on the past) is not.
    """
    there, velocity = velocity_verlet(acceleration, x, v, step, steps)
    back, _ = velocity_verlet(acceleration, there, -velocity, step, steps)
    return _farthest(back, x) / _farthest(there, x)
