"""A step of NeuralMD-SDE as CustomIntegrator computations, the same as `dynamics.sde` has it.

Noise of a molecule's own shape needs numbers that all its atoms share: each mode has a global
variable drawn from OpenMM's Gaussian at every step, and each atom its displacements along the modes
as per-DOF variables that `initialise` sets.  So have the poses, of which one random number chooses.
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
    settings, amplitude = dynamics.settings, dynamics.amplitude.item()
    kept = math.exp(-dynamics.friction.item() * settings.step)
    stiffness = dynamics.coupling.item() / interval**2
    modes = [f"mode{k}" for k in range(settings.modes)]
    poses = [f"pose{m}" for m in range(settings.poses)]
    integrator.addGlobalVariable("k", stiffness)
    integrator.addGlobalVariable("kept", kept)
    integrator.addGlobalVariable("size", amplitude * math.sqrt(stiffness * (1 - kept**2)))
    integrator.addGlobalVariable("tau", interval)  # of this complex: `initialise` sets it
    integrator.addGlobalVariable("hop", 0.0)
    for name in ("y", "rest", *modes, *poses):
        integrator.addPerDofVariable(name, 0.0)
    for k in range(settings.modes):
        integrator.addGlobalVariable(f"draw{k}", 0.0)

    integrator.addComputePerDof("v", f"v+dt*(f{force_group}/m-k*(x-y))")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    for k in range(settings.modes):
        integrator.addComputeGlobal(f"draw{k}", "gaussian")
    noise = "+".join([*(f"{mode}*draw{k}" for k, mode in enumerate(modes)), "rest*gaussian"])
    integrator.addComputePerDof("v", f"kept*v+size*({noise})")
    integrator.addComputePerDof("x", "x+0.5*dt*v")
    integrator.addComputeGlobal("hop", "step(1-exp(-dt/tau)-uniform)")
    integrator.beginIfBlock("hop > 0.5")
    # A number that stays: "uniform" inside the sum would be another one in every term.
    integrator.addComputeGlobal("hop", f"floor({settings.poses}*uniform)")
    chosen = "+".join(f"delta(hop-{m})*{pose}" for m, pose in enumerate(poses))
    integrator.addComputePerDof("x", f"x-y+{chosen}")
    integrator.addComputePerDof("y", chosen)
    integrator.endBlock()
