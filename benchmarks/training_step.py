"""One training step of NeuralMD-ODE at the published code's size, over a step of that code.

    python benchmarks/training_step.py [--repeats 5] [--quick]

Loss and its gradient over a window of 1 or 20 snapshots, one solver step for each, and a step of
the optimiser; the network has the published code's size, on its two complexes.  CPU time of one
thread; a product of two 1024 × 1024 matrices is timed in turn with them.  Memory is the most that a
process of its own has held, less what it held before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from harness import NETWORKS, PUBLISHED_MATMUL_MS, arguments, matmul1024, race, write
from harness.memory import peak_mb

from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.training.objectives import WindowErrors
from openmm_neuralmd.training.settings import ObjectiveSettings
from openmm_neuralmd.training.windows import Trajectory, Windows
from openmm_neuralmd.trajectory.history import History
from openmm_neuralmd.trajectory.snapshots import Snapshots

PUBLISHED_MS = {
    ("gpcr-ergotamine", 1): 613.93,
    ("gpcr-ergotamine", 20): 5130.14,
    ("t4l-p-xylene", 1): 85.4,
    ("t4l-p-xylene", 20): 1091.02,
}
"""A training step of the published research code by complex and window, one thread; medians."""
HISTORY = 2
NOISE = 0.1
"""Å, of the snapshots about the pose: one complex has no trajectory, and time does not tell."""


def step(name: str, window: int) -> Callable[[], Any]:
    """A training step over one window."""
    torch.set_num_threads(1)
    complex = example_complex(name)
    (pose,) = History.of(None, complex).ligand
    length = HISTORY + window
    noise = np.random.default_rng(0).normal(scale=NOISE, size=(length, *pose.shape))
    snapshots = Snapshots(complex, pose + noise, 1.0)
    source = Windows([Trajectory.of(snapshots)], [range(length)], window, HISTORY)
    torch.manual_seed(0)
    dynamics = NeuralODE(NeuralODESettings(network=NETWORKS["default"], step=1.0))
    module = WindowErrors(dynamics, ObjectiveSettings())
    optimiser = torch.optim.AdamW(module.parameters(), fused=True)
    batch = source.batch([source.of_trajectory[0][0]])
    generator = torch.Generator()

    def call() -> None:
        optimiser.zero_grad()
        module(batch, generator).mean().backward()
        optimiser.step()

    return call


def main() -> None:
    """Measure both windows on both complexes."""
    given = arguments(__doc__, repeats=5)
    chosen = [key for key in PUBLISHED_MS if not given.quick or key == ("t4l-p-xylene", 1)]
    rows = []
    for name, window in chosen:
        calls = {"step": step(name, window), "matmul1024": matmul1024()}
        times = race(calls, given.repeats, seconds=30.0, clock=time.process_time)
        unit = times["matmul1024"]["median"]
        published = PUBLISHED_MS[name, window] / PUBLISHED_MATMUL_MS[1]
        rows.append(
            {
                "complex": name,
                "window": window,
                "in_matmul1024": times["step"]["median"] / unit,
                "over_published": times["step"]["median"] / unit / published,
                "peak_mb": peak_mb(step, name, window),
                "ms": times["step"],
                "matmul1024_ms": times["matmul1024"],
            }
        )
    what = "one training step of NeuralMD-ODE at the published code's size, over that code's"
    write(given.results, "training_step", what, rows)


if __name__ == "__main__":
    main()
