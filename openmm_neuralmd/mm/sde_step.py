"""A step of NeuralMD-SDE as CustomIntegrator computations, the same as `dynamics.sde` has it.

Noise of a molecule's own shape needs numbers that all its atoms share: each mode has a global
variable drawn from OpenMM's Gaussian at every step, and each atom its displacements along the modes
as per-DOF variables that `initialise` sets.
"""

from __future__ import annotations

import math

import openmm

from ..dynamics import NeuralSDE
from ..errors import ModelError


def write_sde_step(
    integrator: openmm.CustomIntegrator,
    dynamics: NeuralSDE,
    interval: float,
    force_group: int,
    solver: str | None,
) -> None:
    """Add the variables and one step; the arguments are those of `write_ode_step`.

    Raises
    ------
    ModelError
        If a solver was chosen: NeuralMD-SDE has its own splitting.
    """
    if solver is not None:
        raise ModelError(f"NeuralMD-SDE has a splitting of its own; leave solver='{solver}' out")
    settings, slow = dynamics.settings, dynamics.slow.tolist()
    h, amplitude = settings.step, dynamics.amplitude.tolist()
    kept = math.exp(-dynamics.friction.item() * h)
    stiffness = dynamics.coupling.item() / interval**2
    integrator.addGlobalVariable("k", stiffness)
    integrator.addGlobalVariable("kept", kept)
    integrator.addGlobalVariable("size", amplitude[0] * math.sqrt(stiffness * (1 - kept**2)))
    for name in ("mean", "rest", *(f"mode{k}" for k in range(settings.modes))):
        integrator.addPerDofVariable(name, 0.0)
    for k in range(settings.modes):
        integrator.addGlobalVariable(f"draw{k}", 0.0)
    for p, tau in enumerate(slow):
        left = math.exp(-h / tau)
        integrator.addPerDofVariable(f"y{p}", 0.0)
        integrator.addGlobalVariable(f"left{p}", left)
        integrator.addGlobalVariable(f"size{p}", amplitude[p + 1] * math.sqrt(1 - left**2))

    centre = "".join(f"-y{p}" for p in range(len(slow)))
    integrator.addComputePerDof("v", f"v+dt*(f{force_group}/m-k*(x-mean{centre}))")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    noise = _draw(integrator, settings.modes)
    integrator.addComputePerDof("v", f"kept*v+size*({noise})")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    for p in range(len(slow)):
        noise = _draw(integrator, settings.modes)
        integrator.addComputePerDof("x", f"x-y{p}")
        integrator.addComputePerDof(f"y{p}", f"left{p}*y{p}+size{p}*({noise})")
        integrator.addComputePerDof("x", f"x+y{p}")


def _draw(integrator: openmm.CustomIntegrator, modes: int) -> str:
    """Draw the modes' numbers anew; the noise of a coordinate as an expression."""
    for k in range(modes):
        integrator.addComputeGlobal(f"draw{k}", "gaussian")
    return "+".join([*(f"mode{k}*draw{k}" for k in range(modes)), "rest*gaussian"])
