"""Steps as CustomIntegrator computations; that of NeuralMD-ODE is an explicit Runge–Kutta method.

    dx/dt = v + α R,    dv/dt = F/m − γ v − Σ_p k_p (x − y_p),    dy_p/dt = (x − y_p)/τ_p

written out from the solver's Butcher tableau.  F and α R come from two force groups.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from ..errors import ModelError
from ..units import per_ps, per_ps2
from .solvers import SOLVERS, Tableau

if TYPE_CHECKING:
    import openmm


def write_ode_step(
    integrator: openmm.CustomIntegrator,
    interval: float,
    fields: dict[str, str],
    solver: str,
    *,
    friction: float,
    coupling: list[float],
    memory: list[float],
) -> None:
    """Add the variables and one step.

    Parameters
    ----------
    interval : float
        Δ, ps.
    fields : dict
        Expressions of F ('force') and of α R ('refinement').
    solver : str
    friction : float
        γ, 1/Δ.
    coupling, memory : list of float
        k_p in 1/Δ², and τ_p in Δ.

    Raises
    ------
    ModelError
        A solver that cannot run here.
    """
    tableau = _tableau(solver)
    integrator.addGlobalVariable("gamma", per_ps(friction, interval))
    for p, (k, tau) in enumerate(zip(coupling, memory, strict=True)):
        integrator.addGlobalVariable(f"k{p}", per_ps2(k, interval))
        integrator.addGlobalVariable(f"tau{p}", tau * interval)
        integrator.addPerDofVariable(f"y{p}", 0.0)
    refinement = f"+{fields['refinement']}" if "refinement" in fields else ""
    _write_step(integrator, tableau, derivatives(len(memory), fields["force"], refinement))


def derivatives(memory: int, force: str, refinement: str) -> dict[str, str]:
    """Time derivative of each variable of the state, as CustomIntegrator expressions.

    Parameters
    ----------
    memory : int
        Number of memory terms.
    force, refinement : str
        Expressions of F, and of '+α R' or nothing.
    """
    pull = "".join(f"-k{p}*(x-y{p})" for p in range(memory))
    return {
        "x": f"v{refinement}",
        "v": f"{force}/m-gamma*v{pull}",
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
    known = SOLVERS.get(solver)
    if known is None or known.tableau is None:
        names = ", ".join(name for name, one in SOLVERS.items() if one.tableau is not None)
        raise ModelError(
            f"solver '{solver}' does not run inside OpenMM; choose solver= one of: {names} "
            "(or use rollout(), which runs every solver)"
        )
    return known.tableau


def write_sde_step(
    integrator: openmm.CustomIntegrator,
    interval: float,
    fields: dict[str, str],
    solver: str | None,
    *,
    friction: float,
    coupling: float,
    amplitude: float,
    step: float,
    modes: int,
    poses: int,
) -> None:
    """Add the variables and one step.

    Parameters
    ----------
    interval : float
        Δ, ps.
    fields : dict
        Expression of F ('force').
    friction, coupling : float
        γ in 1/Δ, and k in 1/Δ².
    amplitude : float
        Of the noise, in multiples of the fluctuation about a pose.
    step : float
        Length of a step, Δ.
    modes, poses : int
        Collective modes of the noise, and poses to hop between.

    Raises
    ------
    ModelError
        If a solver was chosen: NeuralMD-SDE has its own splitting.
    """
    if solver is not None:
        raise ModelError(f"NeuralMD-SDE has a splitting of its own; leave solver='{solver}' out")
    decay, stiffness = math.exp(-friction * step), per_ps2(coupling, interval)
    mode_names = [f"mode{k}" for k in range(modes)]
    pose_names = [f"pose{m}" for m in range(poses)]
    integrator.addGlobalVariable("k", stiffness)
    integrator.addGlobalVariable("kept", decay)
    integrator.addGlobalVariable("size", amplitude * math.sqrt(stiffness * (1 - decay**2)))
    integrator.addGlobalVariable("tau", interval)  # of this complex: `initialise` sets it
    integrator.addGlobalVariable("hop", 0.0)
    for name in ("y", "rest", *mode_names, *pose_names):
        integrator.addPerDofVariable(name, 0.0)
    for k in range(modes):
        integrator.addGlobalVariable(f"draw{k}", 0.0)

    integrator.addComputePerDof("v", f"v+dt*({fields['force']}/m-k*(x-y))")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    for k in range(modes):
        integrator.addComputeGlobal(f"draw{k}", "gaussian")
    noise = "+".join([*(f"{mode}*draw{k}" for k, mode in enumerate(mode_names)), "rest*gaussian"])
    integrator.addComputePerDof("v", f"kept*v+size*({noise})")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    _write_hop(integrator, pose_names)


def _write_hop(integrator: openmm.CustomIntegrator, poses: list[str]) -> None:
    """Write the jump of y, and of x with it, to a pose drawn from all."""
    integrator.addComputeGlobal("hop", "step(1-exp(-dt/tau)-uniform)")
    integrator.beginIfBlock("hop > 0.5")
    # A number that stays: "uniform" inside the sum would be another one in every term.
    integrator.addComputeGlobal("hop", f"floor({len(poses)}*uniform)")
    chosen = "+".join(f"delta(hop-{m})*{pose}" for m, pose in enumerate(poses))
    integrator.addComputePerDof("x", f"x-y+{chosen}")
    integrator.addComputePerDof("y", chosen)
    integrator.endBlock()
