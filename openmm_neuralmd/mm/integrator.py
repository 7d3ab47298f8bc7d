"""`NeuralMDIntegrator`: NeuralMD-ODE as an openmm.CustomIntegrator, on any platform.

    dx/dt = v + α R,    dv/dt = F/m − γ v − Σ_p k_p (x − y_p),    dy_p/dt = (x − y_p)/τ_p

One explicit Runge–Kutta step of Δ·step is written out from the solver's Butcher tableau, then the
sweeps of the projection on bonds and angles.  F, α R and a sweep's displacement come from three
force groups.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import openmm
from openmm import unit

from ..errors import ModelError
from ..units import strip

if TYPE_CHECKING:
    from ..training.checkpoints import Model


REFINEMENT_OFFSET, PROJECTION_OFFSET = 1, 2
"""Force groups, counted from that of the learned force."""


class Tableau(NamedTuple):
    """Butcher tableau of an explicit method: rows of `a` for each stage, and the weights `b`."""

    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]


def _fractions(text: str) -> tuple[Fraction, ...]:
    return tuple(Fraction(word) for word in text.split())


TABLEAUS: dict[str, Tableau] = {
    "euler": Tableau((_fractions(""),), _fractions("1")),
    "midpoint": Tableau((_fractions(""), _fractions("1/2")), _fractions("0 1")),
    # Kutta's 3/8 rule, which is what torchdiffeq calls 'rk4'.
    "rk4": Tableau(
        (_fractions(""), _fractions("1/3"), _fractions("-1/3 1"), _fractions("1 -1 1")),
        _fractions("1/8 3/8 3/8 1/8"),
    ),
}
"""The solvers, by torchdiffeq's names."""


class NeuralMDIntegrator(openmm.CustomIntegrator):
    """Propagates a ligand by a model: `stepsPerSnapshot` steps make one snapshot of Δ.

    It reads the forces of the groups that `create_system` uses.  Particles of mass 0 stay.  There
    is no thermostat: the temperature is the one that the model was trained at.

    Parameters
    ----------
    model : Model
        Of a NeuralMD-ODE.
    temperature : Quantity or float in K, optional
        Checked against the model's; an error if they differ.
    solver : str, optional
        'euler', 'midpoint' or 'rk4'; the model's own by default.
    forceGroup : int
        Group of F; the velocity refinement is in the next, the projection in the one after.

    Raises
    ------
    ModelError
        Model of another kind, another temperature, or a solver that cannot run here.
    """

    def __init__(
        self,
        model: Model,
        temperature: Any = None,
        solver: str | None = None,
        *,
        forceGroup: int = 1,
    ) -> None:
        dynamics: Any = model.dynamics
        check_propagator(model)
        _check_temperature(model, temperature)
        settings, steps = dynamics.settings, dynamics.settings.steps
        tableau = _tableau(solver or settings.solver)
        super().__init__(model.card.interval_ps / steps)
        interval = model.card.interval_ps
        coupling, memory = dynamics.coupling.tolist(), dynamics.memory.tolist()
        self.addGlobalVariable("gamma", dynamics.friction.item() / interval)
        for p, (k, tau) in enumerate(zip(coupling, memory)):
            self.addGlobalVariable(f"k{p}", k / interval**2)
            self.addGlobalVariable(f"tau{p}", tau * interval)
            self.addPerDofVariable(f"y{p}", 0.0)
        self._steps = steps
        refined = dynamics.refinement is not None
        _write_step(self, tableau, derivatives(len(memory), forceGroup, refined))
        for _ in range(settings.sweeps):
            self.addComputePerDof("x", f"x+f{forceGroup + PROJECTION_OFFSET}")

    @property
    def stepsPerSnapshot(self) -> int:
        """Steps that make one snapshot interval Δ; what a reporter's interval has to be."""
        return self._steps


def derivatives(memory: int, forceGroup: int, refined: bool) -> dict[str, str]:
    """Time derivative of each variable of the state, as CustomIntegrator expressions."""
    pull = "".join(f"-k{p}*(x-y{p})" for p in range(memory))
    return {
        "x": f"v+f{forceGroup + REFINEMENT_OFFSET}" if refined else "v",
        "v": f"f{forceGroup}/m-gamma*v{pull}",
        **{f"y{p}": f"(x-y{p})/tau{p}" for p in range(memory)},
    }


def _write_step(
    integrator: openmm.CustomIntegrator, tableau: Tableau, rates: dict[str, str]
) -> None:
    """Write one explicit Runge–Kutta step: all slopes of a stage, then the next stage's state."""
    for name in rates:
        integrator.addPerDofVariable(f"{name}_start", 0.0)
        for stage in range(len(tableau.b)):
            integrator.addPerDofVariable(f"{name}_slope{stage}", 0.0)
    for name in rates:
        integrator.addComputePerDof(f"{name}_start", name)
    for stage, row in enumerate(tableau.a):
        if stage > 0:
            _advance(integrator, rates, row)
        for name, rate in rates.items():
            integrator.addComputePerDof(f"{name}_slope{stage}", rate)
    _advance(integrator, rates, tableau.b)


def _advance(
    integrator: openmm.CustomIntegrator, rates: dict[str, str], weights: tuple[Fraction, ...]
) -> None:
    for name in rates:
        terms = [
            f"{w.numerator}/{w.denominator}*{name}_slope{stage}"
            for stage, w in enumerate(weights)
            if w != 0
        ]
        integrator.addComputePerDof(name, f"{name}_start+dt*({'+'.join(terms)})")


def _tableau(solver: str) -> Tableau:
    if solver not in TABLEAUS:
        raise ModelError(
            f"solver '{solver}' does not run inside OpenMM; choose solver= one of: "
            f"{', '.join(TABLEAUS)} (or use rollout(), which runs every solver)"
        )
    return TABLEAUS[solver]


def check_propagator(model: Model) -> None:
    """Refuse a model that gives forces but no dynamics of its own."""
    if not hasattr(model.dynamics, "friction"):
        raise ModelError(
            f"model '{model.card.name}' is a '{model.card.kind}', not a NeuralMD-ODE; "
            "use NeuralMDForce with one of OpenMM's integrators"
        )


def _check_temperature(model: Model, temperature: Any) -> None:
    if temperature is None or model.card.temperature_K is None:
        return
    given, trained = float(strip(temperature, unit.kelvin)), model.card.temperature_K
    if abs(given - trained) > 0.5:
        raise ModelError(
            f"model '{model.card.name}' was trained at {trained:g} K, not {given:g} K; "
            "it has no thermostat: use its own temperature"
        )
