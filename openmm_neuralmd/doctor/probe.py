"""Probe that `doctor` runs in a separate process, because a bad installation can crash Python.

A standalone program: it imports nothing of this package, so that it also runs where the package
itself cannot be imported.  Its last line on standard output is JSON.

    python -P doctor_probe.py inspect
    python -P doctor_probe.py TorchForce CPU
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch  # before openmm and openmmtorch: their plug-ins need libraries that torch brings along

STIFFNESS = 2.5  # kJ/mol/nm²
POSITIONS = np.array([[0.1, -0.2, 0.3], [1.0, 0.5, -0.7], [-0.4, 0.0, 0.6]])  # nm


class Harmonic(torch.nn.Module):
    """Energy k/2 Σ x² of positions (N, 3) in nm, in kJ/mol."""

    def __init__(self) -> None:
        super().__init__()
        self.stiffness = STIFFNESS

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """The energy, a scalar."""
        return 0.5 * self.stiffness * (positions * positions).sum()


def torch_force() -> Any:
    """An openmmtorch.TorchForce of the harmonic energy, from a TorchScript file."""
    import openmmtorch

    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "harmonic.pt")
        torch.jit.script(Harmonic()).save(path)
        return openmmtorch.TorchForce(path)


def evaluate_with_torch(state: Any) -> tuple[float, np.ndarray]:
    """The harmonic energy and forces of an OpenMM State, by torch's automatic derivatives."""
    from openmm import unit

    plain = state.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    positions = torch.tensor(plain, requires_grad=True)
    energy = Harmonic()(positions)
    (gradient,) = torch.autograd.grad(energy, positions)
    return energy.item(), -gradient.numpy()


def python_force() -> Any:
    """An openmm.PythonForce of the harmonic energy, evaluated by torch."""
    import openmm

    return openmm.PythonForce(evaluate_with_torch)


BACKENDS: dict[str, Callable[[], Any]] = {"TorchForce": torch_force, "PythonForce": python_force}


def probe(backend: str, platform: str) -> dict[str, Any]:
    """The largest error of energy (kJ/mol) and forces (kJ/mol/nm) through one backend."""
    import openmm
    from openmm import unit

    system = openmm.System()
    for _ in POSITIONS:
        system.addParticle(12.0)
    system.addForce(BACKENDS[backend]())
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform))
    context.setPositions(POSITIONS)
    state = context.getState(getEnergy=True, getForces=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    forces = state.getForces(asNumpy=True).value_in_unit(unit.kilojoule_per_mole / unit.nanometer)
    return {
        "energy_error": abs(energy - 0.5 * STIFFNESS * float((POSITIONS**2).sum())),
        "force_error": float(np.abs(forces + STIFFNESS * POSITIONS).max()),
    }


def inspect() -> dict[str, Any]:
    """OpenMM's platforms, plug-in load failures, and the GPUs that torch sees."""
    import openmm

    platforms = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    return {
        "platforms": [
            {
                "name": platform.getName(),
                "speed": platform.getSpeed(),
                "properties": {
                    name: platform.getPropertyDefaultValue(name)
                    for name in platform.getPropertyNames()
                },
            }
            for platform in platforms
        ],
        "load_failures": list(openmm.Platform.getPluginLoadFailures()),
        "torch_cuda_build": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
    }


if __name__ == "__main__":
    answer = inspect() if sys.argv[1] == "inspect" else probe(sys.argv[1], sys.argv[2])
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
