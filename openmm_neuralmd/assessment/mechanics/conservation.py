"""Checks of a model's mechanics: one function each, and one that runs all that apply."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...analysis.coordinates import Array
from ...model import Model
from ...trajectory.history import History
from ...units import BOLTZMANN, velocity_factor
from ..check import (
    Check,
    judged,
    reported,
    skipped,
)
from .derivatives import asymmetry, derivatives_of, gradient_error
from .field import LigandField, has_field
from .solvers import (
    VERLET_ORDER,
    Convergence,
    convergence,
    model_convergence,
    reversal_error,
    velocity_verlet,
)
from .symmetry import field_errors, forecast_error

TEMPERATURE = 300.0
"""K, of the velocities that an energy model is run with."""
FEMTOSECOND = 1e-3
"""ps."""
LONG_FS = 4
"""Length of the solutions that the order of velocity Verlet is fitted to, the first by 1 fs."""
REVERSED_STEPS = 10
"""Of half a femtosecond, or of half a snapshot interval."""


def conservation(
    model: Model,
    history: History,
    advance: Callable[[int, str], None] | None = None,
) -> list[Check]:
    """Run every check that needs only the model and a complex.

    Parameters
    ----------
    model : Model
        Loaded in double precision: what is asked is whether the equations hold.
    history : History
        Known snapshots that a forecast starts from.
    advance : callable, optional
        Called after each of the `PARTS`.

    Examples
    --------
    >>> import torch
    >>> from openmm_neuralmd import example_complex, load_model
    >>> from openmm_neuralmd.assessment.mechanics import conservation
    >>> from openmm_neuralmd.trajectory.history import History
    >>> complex = example_complex("t4l-p-xylene")
    >>> known = 10 * complex.positions[complex.ligand_heavy][None]  # one snapshot, nm to Å
    >>> model = load_model("gpcr-ergotamine", torch.float64)
    >>> checks = conservation(model, History.of(known, complex))
    >>> [check.name for check in checks if check.outcome == "fail"]
    []
    """
    checks: list[Check] = []
    for part in PARTS:
        checks += part(model, history)
        if advance is not None:
            advance(1, checks[-1].name)
    return checks


def equivariance(model: Model, history: History) -> list[Check]:
    """Check forces, energy and forecast of the rotated complex."""
    names = "force-equivariance", "energy-invariance", "forecast-equivariance"
    if has_field(model):
        force, energy = field_errors(model, history.complex)
        checks = [judged(names[0], force)]
        conservative = LigandField(model, history.complex).conservative
        checks += [judged(names[1], energy) if conservative else skipped(names[1], NO_ENERGY)]
    else:
        checks = [skipped(name, "no force of its own: see its forecast") for name in names[:2]]
    return [*checks, _of_forecast(names[2], model, history)]


NO_ENERGY = "no energy: a force is predicted directly"


def _of_forecast(name: str, model: Model, history: History) -> Check:
    if not model.dynamics.jumps:
        return skipped(name, "does not jump")
    if model.dynamics.stochastic:
        return skipped(name, "draws noise, which does not turn with the complex")
    return judged(name, forecast_error(model, history))


def derivatives(model: Model, history: History) -> list[Check]:
    """Check the forces against the energy's gradient, and the symmetry of their own derivative."""
    names = "energy-gradient", "jacobian-asymmetry"
    if not has_field(model):
        return [skipped(name, "no force") for name in names]
    field = LigandField(model, history.complex)
    slope, jacobian = derivatives_of(field.evaluate, field.start)
    asymmetric = asymmetry(jacobian)
    if not field.conservative:
        note = "a direct force need not be the slope of an energy: it says how far from one it is"
        return [skipped(names[0], NO_ENERGY), reported(names[1], asymmetric, note)]
    error = gradient_error(field.forces(field.start), slope)
    return [judged(names[0], error), judged(names[1], asymmetric)]


def solver_order(model: Model, history: History) -> list[Check]:
    """Check the measured order of the solver that the model is run with."""
    name = "solver-order"
    order = VERLET_ORDER if not model.dynamics.jumps else model.dynamics.convergence_order
    if order is None:
        return [skipped(name, _without_order(model))]
    if not model.dynamics.jumps:
        fit, steps_note = _verlet_convergence(LigandField(model, history.complex)), ""
    else:
        fit = model_convergence(model, history)
        steps_note = (
            f"; its own {fit.steps[0]} steps in an interval are {fit.first_error:.2g} Å from "
            f"{fit.steps[-1]} steps, without the projection"
        )
    note = f"fitted {fit.order:.3f}, should be {order}{steps_note}"
    return [judged(name, abs(fit.order - order), note)]


def _without_order(model: Model) -> str:
    if model.dynamics.stochastic:
        return "draws noise: tests measure its order where a solution is known"
    if model.dynamics.newtonian:
        return f"'{model.dynamics.settings.solver}' chooses its own steps"
    return "no differential equation: a snapshot is one step"


def _verlet_convergence(field: LigandField) -> Convergence:
    v = thermal_velocities(field.masses)

    def end(steps: int) -> Array:
        step = LONG_FS * FEMTOSECOND / steps
        return velocity_verlet(field.acceleration, field.start, v, step, steps)[0]

    way = float(np.linalg.norm(v, axis=-1).max()) * LONG_FS * FEMTOSECOND
    return convergence(end, way, first=LONG_FS)


def reversibility(model: Model, history: History) -> list[Check]:
    """Check that velocity Verlet under the model's force returns to its start."""
    name = "reversibility"
    if not model.dynamics.newtonian:
        return [skipped(name, "gives no acceleration")]
    field = LigandField(model, history.complex)
    if not model.dynamics.jumps:
        v, step = thermal_velocities(field.masses), 0.5 * FEMTOSECOND
        note = f"{REVERSED_STEPS} steps of 0.5 fs"
    else:
        interval = model.card.interval_ps
        v = velocity_factor(interval) * np.random.default_rng(0).normal(size=field.start.shape)
        step = 0.5 * interval
        note = f"{REVERSED_STEPS} steps of half an interval, from 1 Å in an interval"
    error = reversal_error(field.acceleration, field.start, v, step, REVERSED_STEPS)
    return [judged(name, error, note)]


def thermal_velocities(masses: Array, seed: int = 0) -> Array:
    """Maxwell's velocities (n, 3) in nm/ps at `TEMPERATURE`, of masses in amu."""
    scale = np.sqrt(BOLTZMANN * TEMPERATURE / masses)[:, None]
    return scale * np.random.default_rng(seed).normal(size=(len(masses), 3))


PARTS: tuple[Callable[[Model, History], list[Check]], ...] = (
    equivariance,
    derivatives,
    solver_order,
    reversibility,
)
"""The parts of `conservation`, in order."""
