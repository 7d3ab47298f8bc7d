"""Write your own dynamics, register it, train it, and compare it with naive baselines.

    python examples/own_dynamics.py --epochs 4 -o runs/own

A first-order relaxation towards a remembered mean, pushed by BindingNet, and without noise:

    x_{t+1} = x_t + k (m − x_t) + f(z, x_t; protein)

m is the mean of what is known, weighted by exp(−age/τ); k and τ learn.  docs/howto/dynamics.md
goes through it line by line.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.metrics import rmse
from openmm_neuralmd.bindingnet.inputs import ComplexTensors
from openmm_neuralmd.bindingnet.network import BindingNet, Protein
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.naive import NAIVE
from openmm_neuralmd.dynamics.projection import project_batch
from openmm_neuralmd.dynamics.registry import LEARNED, Dynamics
from openmm_neuralmd.dynamics.second_order import positive
from openmm_neuralmd.dynamics.state import mean_lengths, remember
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import TrainingSettings

EXAMPLE = "gpcr-ergotamine"


# --8<-- [start:settings]
class RelaxationSettings(BaseModel):
    """Settings that a model file stores; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings()
    rate: float = Field(0.2, gt=0)  # k to start from, 1/Δ
    memory: float = Field(5.0, gt=0)  # τ to start from, Δ
    sweeps: int = Field(10, ge=0)  # repairs of bonds and angles after a snapshot


# --8<-- [end:settings]
# --8<-- [start:dynamics]
class Relaxed(NamedTuple):
    """State of B ligands: positions, memory, and the lengths of their bonds and angles."""

    x: Tensor  # (B, n, 3), Å
    mean: Tensor  # (B, n, 3), Å
    lengths: Tensor  # (B, q), Å


class Relaxation(Dynamics):
    """Towards the remembered mean, and where the network pushes."""

    settings_class = RelaxationSettings
    title = "relaxation"

    def __init__(self, settings: RelaxationSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)
        self.raw = positive(settings.rate, settings.memory)

    def coefficients(self) -> list[nn.Parameter]:
        """Numbers that learn at a rate of their own."""
        return [self.raw]

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Relaxed:
        """Start from known snapshots (B, T, n, 3), the present one last; padding is not valid."""
        tau = nn.functional.softplus(self.raw)[1:]
        mean = remember(known, valid, tau)[:, 0]
        return Relaxed(known[:, -1], mean, mean_lengths(known, valid, c.pairs))

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: Relaxed,
        snapshots: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Relaxed]:
        """The next snapshots (B, S, n, 3), and the state at the last of them."""
        rate, path = nn.functional.softplus(self.raw)[0], []
        x = state.x
        for _ in range(snapshots):
            x = x + rate * (state.mean - x) + self.network(c.z, x, c.mask, protein)
            x = project_batch(x, c.pairs, state.lengths, self.settings.sweeps)
            path.append(x)
        return torch.stack(path, dim=1), state._replace(x=x)


LEARNED["relaxation"] = Relaxation
# --8<-- [end:dynamics]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, and compare on snapshots that nothing has seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--every", type=int, default=1, help="snapshots between training windows")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/own"))
    options = parser.parse_args(arguments)

    # --8<-- [start:train]
    network = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 16}
    settings = TrainingSettings(
        name="relaxation",
        data={"example": EXAMPLE},
        dynamics="relaxation",
        model={"network": network},
        epochs=options.epochs,
        every=options.every,
    )
    trainer = Trainer(settings, read_trajectories(settings.data), options.output)
    trainer.run()
    model = nmd.load_model(options.output / "model.safetensors")
    # --8<-- [end:train]

    trajectory = nmd.example(EXAMPLE)
    seen = round(settings.train_fraction * len(trajectory))
    replica = next(part for part in trajectory.segments if seen in part)
    known, truth = trajectory.ligand[replica.start : seen], trajectory.ligand[seen : seen + 20]
    forecasts = {"relaxation": nmd.rollout(model, trajectory.complex, known, len(truth))}
    past = [torch.as_tensor(trajectory.ligand[p.start : min(p.stop, seen)])
            for p in trajectory.segments if p.start < seen]  # fmt: skip
    bonds = torch.as_tensor(trajectory.complex.site_bonds)
    for name, method in NAIVE.items():
        fitted = method.fit(past, bonds=bonds, horizon=len(truth))
        forecasts[name] = fitted.forecast(torch.as_tensor(known), len(truth)).numpy()
    for name, forecast in forecasts.items():
        print(f"{name:22s} RMSE {rmse(truth, forecast):.2f} Å")


if __name__ == "__main__":
    main()
