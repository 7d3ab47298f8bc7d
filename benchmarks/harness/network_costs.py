"""Cost of a gradient and of a forecast of NeuralMD-ODE, by the size of the complex."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from openmm_neuralmd.bindingnet.inputs import ComplexTensors, complex_tensors
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.contract import forecast
from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.prediction.run import Request
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.objectives import WindowErrors
from openmm_neuralmd.training.settings import ObjectiveSettings
from openmm_neuralmd.training.windows import Batch
from openmm_neuralmd.units import to_angstrom

from . import race
from .cost_model import CostModel, fitted
from .counts import counted

MANY = Path(__file__).resolve().parents[2] / "validation" / "reference_sets" / "many"
HORIZON, HISTORY = 4, 8
SNAPSHOTS = 4
"""Of a forecast; the protein is encoded once for it, as for one of any length."""
SIZES = ("complex", "atoms", "pairs", "residues")
COSTS = ("gigaflops", "operations", "megabytes", "ms")
"""What is fitted: the first three are the same on any machine, the last is CPU time."""


class Case(NamedTuple):
    """One complex: its name, its sizes, and the calls whose cost is asked for."""

    name: str
    sizes: dict[str, float]
    calls: dict[str, Callable[[], Any]]


def request(name: str) -> Request:
    """The request for a prediction of a complex of the reference set 'many'."""
    return Request.of(MANY / f"{name}.pdb.gz", MANY / f"{name}.sdf")


def spread_out(count: int) -> list[str]:
    """Names of some complexes of 'many', from the smallest file to the largest."""
    files = sorted(MANY.glob("*.pdb.gz"), key=lambda path: path.stat().st_size)
    chosen = torch.linspace(0, len(files) - 1, count).round().long().tolist()
    return [files[k].name.removesuffix(".pdb.gz") for k in chosen]


def complexes(count: int) -> list[Complex]:
    """The two examples, and complexes of the reference set 'many'."""
    some = [example_complex("t4l-p-xylene"), example_complex("gpcr-ergotamine")]
    for name in spread_out(count - len(some)):
        asked = request(name)
        some.append(asked.complex(asked.ligand(0)))
    return some


def window(c: ComplexTensors, pose: torch.Tensor) -> Batch:
    """One window about a pose (n, 3) in Å: the work does not depend on how the ligand moves."""
    shape = (1, HISTORY + HORIZON, *pose.shape)
    x = pose + 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    valid = torch.ones(1, HISTORY, dtype=torch.bool)
    return Batch(c, torch.zeros(1, dtype=torch.int64), x[:, :HISTORY], valid, x[:, HISTORY:])


def case(complex: Complex, network: BindingNetSettings) -> Case:
    """The gradient of a window, its forward part, encoding the protein, and a forecast."""
    torch.manual_seed(0)
    dynamics = NeuralODE(NeuralODESettings(network=network))
    errors = WindowErrors(dynamics, ObjectiveSettings())
    c = complex_tensors(complex)
    pose = torch.as_tensor(to_angstrom(complex.positions[complex.sites]), dtype=torch.float32)
    batch, generator = window(c, pose), torch.Generator()

    def gradient() -> None:
        errors.zero_grad()
        errors(batch, generator).mean().backward()

    def encoding() -> None:
        with torch.no_grad():
            dynamics.encode(c)

    def rollout() -> None:
        with torch.no_grad():
            forecast(dynamics, c, batch.known, batch.valid, SNAPSHOTS)

    atoms, residues = len(pose), len(complex.residue_types)
    sizes = {"complex": 1, "atoms": atoms, "pairs": atoms**2, "residues": residues}
    calls = {"gradient": gradient, "encoding": encoding, "forecast": rollout}
    return Case(complex.name, {name: float(sizes[name]) for name in SIZES}, calls)


def measured(network: BindingNetSettings, count: int, repeats: int) -> dict[str, Any]:
    """Costs of each complex, and the cost models of each kind of call and of cost."""
    cases = [case(complex, network) for complex in complexes(count)]
    contestants = {f"{c.name} {kind}": call for c in cases for kind, call in c.calls.items()}
    times = race(contestants, repeats, least_ms=1.0, seconds=45.0, clock=time.process_time)
    rows = []
    for c in cases:
        print(f"counting: {c.name}", file=sys.stderr, flush=True)
        costs = {
            kind: {**counted(call), "ms": times[f"{c.name} {kind}"]["median"]}
            for kind, call in c.calls.items()
        }
        rows.append({"complex": c.name, "sizes": c.sizes, "costs": costs})
    return {
        "complexes": rows,
        "window": HORIZON,
        "forecast": SNAPSHOTS,
        "models": {kind: models(rows, kind) for kind in cases[0].calls},
    }


def models(rows: Sequence[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The cost models of one kind of call."""
    sizes = [row["sizes"] for row in rows]

    def of(cost: str) -> CostModel:
        return fitted(sizes, [row["costs"][kind][cost] for row in rows])

    return {cost: of(cost).as_json() for cost in COSTS}
