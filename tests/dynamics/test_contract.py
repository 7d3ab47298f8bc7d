"""A dynamics and a naive baseline from outside the package: one line enters each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

import openmm_neuralmd as nmd
from mm_models import make_context
from openmm_neuralmd.analysis.evaluation import score
from openmm_neuralmd.analysis.markdown import metric_table
from openmm_neuralmd.analysis.summaries import summary
from openmm_neuralmd.assessment.stretch import Stretch, methods
from openmm_neuralmd.bindingnet.inputs import ComplexTensors
from openmm_neuralmd.bindingnet.network import BindingNet
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics import LEARNED, NAIVE, Dynamics
from openmm_neuralmd.dynamics.state import State, last_step, mean_lengths
from openmm_neuralmd.report.names import title
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import TrainingSettings


class DriftSettings(BaseModel):
    """Settings of the toy."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings(
        hidden=8, vector_channels=2, ligand_layers=1, num_radial=8
    )
    steps: int = 2
    sweeps: int = 0


class Drift(Dynamics):
    """v ← v/2 + h F/m, then x ← x + h v: a toy that the package knows nothing of."""

    settings_class = DriftSettings
    title = "toy drift"
    runs_in_openmm = True

    def __init__(self, settings: DriftSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> State:
        nothing = known.new_zeros(len(known), 0, *known.shape[2:])
        lengths = mean_lengths(known, valid, c.pairs)
        return State(known[:, -1], last_step(known, valid), nothing, lengths)

    def integrate(
        self,
        c: ComplexTensors,
        protein: Any,
        state: State,
        snapshots: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, State]:
        h, x, v, path = 1 / self.settings.steps, state.x, state.v, []
        for _ in range(snapshots):
            for _ in range(self.settings.steps):
                v = v / 2 + h * self.network(c.z, x, c.mask, protein) / c.mass.unsqueeze(-1)
                x = x + h * v
            path.append(x)
        return torch.stack(path, dim=1), state._replace(x=x, v=v)

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        integrator.addComputePerDof("v", f"v/2+dt*{fields['force']}/m")
        integrator.addComputePerDof("x", "x+dt*v")


@dataclass(frozen=True)
class FirstKnown:
    """The oldest known snapshot: a baseline that nobody would want."""

    title = "first known"

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> FirstKnown:
        return cls()

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        return known[:1].expand(snapshots, *known.shape[1:]).clone()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The toy after a few updates, read back from its file."""
    LEARNED["toy-drift"] = Drift
    NAIVE["first-known"] = FirstKnown
    settings = TrainingSettings(
        name="toy",
        data={"example": "gpcr-ergotamine"},
        dynamics="toy-drift",
        horizon=2,
        validation_horizon=2,
        epochs=1,
        every=24,
    )
    assert settings.objective.kind == "mae"
    place = tmp_path_factory.mktemp("toy") / "run"
    Trainer(settings, read_trajectories(settings.data), place).run()
    yield nmd.load_model(place / "model.safetensors")
    del LEARNED["toy-drift"], NAIVE["first-known"]


def test_a_toy_trains_rolls_out_and_stands_in_a_table(model: Any) -> None:
    untrained = LEARNED["toy-drift"](DriftSettings())
    assert type(model.dynamics) is Drift and model.card.kind == "toy-drift"
    trained = torch.cat([p.flatten() for p in model.dynamics.parameters()])
    torch.manual_seed(0)
    fresh = torch.cat([p.flatten() for p in Drift(untrained.settings).parameters()])
    assert not torch.equal(trained, fresh)

    trajectory = nmd.example("gpcr-ergotamine")
    stretch = Stretch(trajectory, range(187, 192), ahead=5, every=5)
    forecasts = methods(stretch, model)[0] | methods(stretch, None)[0]
    rows = summary(score(forecasts, trajectory.ligand, stretch.origins, stretch.bonds))
    text = metric_table(rows, {"rmse": ("RMSE, Å", 2)}, {name: title(name) for name in rows})
    assert "toy drift" in text and "first known" in text


def test_a_toy_runs_inside_openmm_as_it_does_in_torch(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    trajectory = nmd.example("gpcr-ergotamine")
    known = trajectory.ligand[190:194]
    system = nmd.create_system(model, trajectory.complex, precision="double")
    integrator = nmd.NeuralMDIntegrator(model)
    context = make_context(system, "Reference", integrator=integrator)
    nmd.initialise(context, model, trajectory.complex, known)
    forecast = nmd.rollout(model, trajectory.complex, known, 3)
    for snapshot in forecast:
        integrator.step(integrator.stepsPerSnapshot)
        positions = context.getState(positions=True).getPositions(asNumpy=True)._value
        ligand = 10.0 * positions[trajectory.complex.ligand_sites]
        np.testing.assert_allclose(ligand, snapshot, atol=1e-3)
    assert np.abs(forecast[-1] - known[-1]).max() > 0.05


def test_what_a_class_does_not_say_is_an_error_that_names_it() -> None:
    class Silent(Dynamics):
        title = "silent"

    with pytest.raises(NotImplementedError, match="silent does not jump"):
        Silent().integrate(None, None, None, 1)  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError, match="silent does not run inside OpenMM"):
        Silent().write_step(None, 1.0, {}, None)


@pytest.mark.parametrize("name", LEARNED)
def test_every_bundled_dynamics_fills_in_the_contract(name: str) -> None:
    kind = LEARNED[name]
    dynamics = kind(kind.settings_class())
    assert dynamics.title and dynamics.objectives
    assert set(dynamics.fields) <= {"force", "energy", "refinement"}
    order = dynamics.convergence_order
    if order is not None:
        finer = dynamics.with_steps(2 * dynamics.settings.steps)
        assert finer.settings.steps == 2 * dynamics.settings.steps
        assert finer.convergence_order == order
