"""Contexts side by side, and processes that share the cache of exported modules."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import openmm
import pytest

from mm_models import make_known, make_model
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system
from openmm_neuralmd.structure.complex import Complex

PROGRAM = """
import sys
import openmm
from mm_models import make_context, make_model
from openmm_neuralmd import create_system, example_complex

complex = example_complex("t4l-p-xylene")
for _ in range(3):
    system = create_system(make_model(), complex, backend="PythonForce")
context = make_context(system, positions=complex.positions)
forces = context.getState(forces=True).getForces(asNumpy=True)._value[complex.ligand_heavy]
sys.stdout.write(forces.tobytes().hex())
"""


def context_of(complex_: Complex, kind: str, seed: int) -> openmm.Context:
    model = make_model(kind=kind)
    system = create_system(model, complex_, make_known(complex_), backend="PythonForce")
    integrator = NeuralMDIntegrator(model)
    integrator.setRandomNumberSeed(seed)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    initialise(context, model, complex_, make_known(complex_, seed + 3))
    return context


def moved(context: openmm.Context, steps: int) -> np.ndarray:
    context.getIntegrator().step(steps)
    return context.getState(positions=True).getPositions(asNumpy=True)._value


def test_two_contexts_in_one_process_do_not_touch_each_other(
    t4l: Complex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path))
    alone = [moved(context_of(t4l, "neuralmd-ode", seed), 4) for seed in (1, 2)]
    both = [context_of(t4l, "neuralmd-ode", seed) for seed in (1, 2)]
    for steps in (1, 2, 1):
        last = [moved(context, steps) for context in both]
    np.testing.assert_array_equal(last, alone)
    assert np.abs(alone[0] - alone[1]).max() > 1e-4


def test_contexts_with_noise_draw_it_independently(
    t4l: Complex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenMM's Reference and CPU platforms have one stream of noise for all (docs/platforms.md).

    Two Contexts of one seed and one start then differ, and neither stands still.
    """
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path))
    both = [context_of(t4l, "neuralmd-sde", 1) for _ in range(2)]
    first, second = (moved(context, 2)[t4l.ligand_heavy] for context in both)
    assert np.abs(first - second).max() > 1e-4
    assert min(np.abs(x - t4l.positions[t4l.ligand_heavy]).max() for x in (first, second)) > 1e-4


def test_two_processes_share_a_cache(tmp_path: Path) -> None:
    """Both begin with an empty cache and export the same module into it at the same time."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"},
        "OPENMM_NEURALMD_CACHE": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1] and len(said[0]) == 2 * 8 * 3 * 8  # hexadecimal, 8 atoms
    assert len(list(tmp_path.iterdir())) == 1, "one module, nothing temporary"
