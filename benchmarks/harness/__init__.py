"""Common parts of the benchmarks: fair clocks, models of two sizes, one JSON file each.

A time says more of the machine than of the code, so every benchmark sets its times beside others
that were taken in turn with them, in the same process, and reports ratios.  Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.energy import EnergyModel
from openmm_neuralmd.dynamics.ode import NeuralODE
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.provenance import provenance

Clock = Callable[[], float]
RESULTS = Path(__file__).resolve().parents[1] / "results"
NETWORKS = {
    "default": BindingNetSettings(),
    "small": BindingNetSettings(hidden=32, vector_channels=8, ligand_layers=2, num_radial=24),
}
"""Sizes: the paper's, and one between it and the bundled models'."""

PUBLISHED_MATMUL_MS = {1: 0.5 * (28.9 + 33.8), 2: 0.5 * (15.1 + 17.4)}
"""`matmul1024` beside the published research code's times, before and after, by threads."""

DYNAMICS: dict[str, tuple[str, Any]] = {
    "force": ("neuralmd-ode", NeuralODE),
    "energy": ("bindingnet-energy", EnergyModel),
}
"""Kind and class of a random model, by the head of its network."""

SLOW_MS, FEWEST = 1000.0, 2
"""A call that is not repeated to warm it up, and the fewest repeats."""


def arguments(description: str | None, repeats: int) -> argparse.Namespace:
    """The command line that all benchmarks have; from here on torch has one thread."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=(description or "").split("\n\n")[0])
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--quick", action="store_true", help="smallest sizes, to see that it runs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    given.repeats = 2 if given.quick else given.repeats
    return given


def race(
    contestants: Mapping[str, Callable[[], Any]],
    repeats: int,
    least_ms: float = 20.0,
    seconds: float = 60.0,
    clock: Clock = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Milliseconds of one call of each, taken in turn so that a slow moment hits all alike.

    A repeat is as many calls as take `least_ms`, at least one.  Each contestant is called twice
    before, because the first calls of a script compile it; one that takes longer than a second
    is called once.  No repeat begins after `seconds`, but two are always made.  `clock` gives
    seconds: `time.process_time` on a machine that does other work.

    Returns
    -------
    dict
        For each its 'median', 'least' and 'greatest', 'calls' in a repeat, and 'repeats'.
    """
    began = time.perf_counter()
    calls: dict[str, int] = {}
    for name, call in contestants.items():
        print(f"warming up: {name}", file=sys.stderr, flush=True)
        one = _milliseconds(call, 1, clock)
        if one < SLOW_MS:
            call()
            one = _milliseconds(call, 1, clock)
        calls[name] = max(1, round(least_ms / one))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for repeat in range(repeats):
        if repeat >= FEWEST and time.perf_counter() - began > seconds:
            break
        print(f"repeat {repeat + 1} of {repeats}", file=sys.stderr, flush=True)
        for name, call in contestants.items():
            times[name].append(_milliseconds(call, calls[name], clock))
    return {
        name: {
            "median": float(np.median(values)),
            "least": min(values),
            "greatest": max(values),
            "calls": calls[name],
            "repeats": len(values),
        }
        for name, values in times.items()
    }


def _milliseconds(call: Callable[[], Any], calls: int, clock: Clock) -> float:
    began = clock()
    for _ in range(calls):
        call()
    return 1000.0 * (clock() - began) / calls


def matmul1024() -> Callable[[], Any]:
    """A float32 product of two 1024 × 1024 matrices: the machine's measure."""
    a, b = torch.rand(2, 1024, 1024).unbind(0)
    return lambda: a @ b


def random_model(network: BindingNetSettings, complex: Complex) -> Model:
    """A model with random weights for this complex, which costs what a trained one costs.

    NeuralMD-ODE, or an energy model for a network with the head 'energy'.
    """
    torch.manual_seed(0)
    kind, dynamics = DYNAMICS[network.head]
    settings = dynamics.settings_class(network=network)
    card = ModelCard(
        name="random",
        kind=kind,
        settings=settings.model_dump(mode="json"),
        interval_ps=80.0,
        elements=sorted(set(complex.ligand_atomic_numbers[complex.heavy].tolist())),
        residue_types=list(range(21)),
    )
    return Model(dynamics(settings).eval(), card)


def write(folder: Path, name: str, what: str, rows: list[dict[str, Any]], **more: Any) -> None:
    """The result file, with `more` beside its rows, and the rows on the terminal."""
    content = {"what": what, "threads": 1, "rows": rows, **more, "provenance": provenance()}
    path = folder / f"{name}.json"
    with complete(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        shown = {key: value for key, value in row.items() if not isinstance(value, dict)}
        print("  ".join(f"{key}: {_short(value)}" for key, value in shown.items()))
    print(f"wrote {path}")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
