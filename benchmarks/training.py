"""Training on many complexes: snapshots a second and memory for batches of 1, 8 and 32 complexes.

    python benchmarks/training.py [--repeats 5] [--quick]

A gradient of NeuralMD-ODE over windows of 8 snapshots, each window of another complex of the
reference sets (of the same one again where there are not so many).  One thread, CPU; batches are
timed in turn.  Memory is the most that a process of its own has held, less what it held before.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from harness import NETWORKS, arguments, race, write
from harness.memory import peak_mb

from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.objectives import WindowErrors
from openmm_neuralmd.training.settings import ObjectiveSettings
from openmm_neuralmd.training.windows import Trajectory, Windows
from openmm_neuralmd.trajectory.snapshots import read_snapshots

SETS = Path(__file__).resolve().parents[1] / "validation" / "reference_sets"
COMPLEXES = (1, 8, 32)
HORIZON, HISTORY, READ = 8, 64, 100
SIZE = "small"


def windows() -> Windows:
    """One trajectory for each complex of set 'pocket'."""
    chosen = []
    for folder in sorted(path.parent for path in SETS.glob("pocket/*/trajectory.xtc")):
        complex = Complex.from_files(folder / "topology.pdb", sdf=folder / "ligand.sdf")
        chosen.append(Trajectory.of(read_snapshots(folder / "trajectory.xtc", complex)[:READ]))
    return Windows(chosen, [range(READ)] * len(chosen), HORIZON, HISTORY)


def gradient(size: str, source: Windows, complexes: int) -> Callable[[], Any]:
    """A gradient over a batch of windows, one for each complex."""
    torch.manual_seed(0)
    module = WindowErrors(NeuralODE(NeuralODESettings(network=NETWORKS[size])), ObjectiveSettings())
    own = [part[HISTORY] for part in source.of_trajectory]
    batch = source.batch([own[k % len(own)] for k in range(complexes)])
    generator = torch.Generator()

    def call() -> None:
        module.zero_grad()
        module(batch, generator).mean().backward()

    return call


def gradient_anew(size: str, complexes: int) -> Callable[[], Any]:
    """`gradient` in a process that has no windows yet."""
    return gradient(size, windows(), complexes)


def main() -> None:
    """Measure the smaller network: the paper's takes minutes for a gradient of 32 complexes."""
    given = arguments(__doc__, repeats=5)
    counts = COMPLEXES[:2] if given.quick else COMPLEXES
    source = windows()
    calls = {str(count): gradient(SIZE, source, count) for count in counts}
    times = race(calls, given.repeats, seconds=40.0)
    rate = {c: 1000.0 * c * HORIZON / times[str(c)]["median"] for c in counts}
    rows = [
        {
            "network": SIZE,
            "complexes": count,
            "rate_over_one_complex": rate[count] / rate[counts[0]],
            "snapshots_per_second": rate[count],
            "peak_mb": peak_mb(gradient_anew, SIZE, count),
            "ms": times[str(count)],
        }
        for count in counts
    ]
    what = f"gradient of NeuralMD-ODE, {HORIZON} snapshots a window, complexes of set pocket, CPU"
    write(given.results, "training", what, rows)


if __name__ == "__main__":
    main()
