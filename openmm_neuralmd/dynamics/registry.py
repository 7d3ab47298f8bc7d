"""The learned dynamics by name, and what each of them offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors
from .denoising import (
    CGMD,
    CGMDSettings,
    DenoisingLD,
    DenoisingLDSettings,
)
from .gnn import GNNMD, GNNMDSettings
from .ode import NeuralODE, NeuralODESettings
from .sde import NeuralSDE, NeuralSDESettings
from .verlet import VerletMD, VerletMDSettings


@runtime_checkable
class Propagator(Protocol):
    """A learned dynamics that jumps: encode the protein, start from snapshots, go on.

    What `encode` and `start` give are NamedTuples of the dynamics' own: they go back to it unread,
    at most with other rows of the batch (`nested.rows`).
    """

    def coefficients(self) -> list[nn.Parameter]:
        """The few numbers of the dynamics itself, which learn at their own rate."""

    def encode(self, c: ComplexTensors) -> Any:
        """The rigid protein, once."""

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Any:
        """State at the last known snapshot (B, T, n, 3), reading nothing later."""

    def integrate(
        self,
        c: ComplexTensors,
        protein: Any,
        state: Any,
        snapshots: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Any]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them."""


def forecast(
    dynamics: Propagator,
    c: ComplexTensors,
    known: Tensor,
    valid: Tensor,
    snapshots: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Forecast (B, S, n, 3) in Å from known snapshots (B, T, n, 3), see `state`."""
    state = dynamics.start(c, known, valid)
    return dynamics.integrate(c, dynamics.encode(c), state, snapshots, generator)[0]


class Learned(NamedTuple):
    """A learned dynamics.

    Attributes
    ----------
    module : type
        A `Propagator`, made from its settings.
    settings : type
        Its pydantic settings.
    stochastic : bool
        Whether it draws noise: one of many futures, or the one forecast.
    """

    module: Callable[[Any], nn.Module]
    settings: type[BaseModel]
    stochastic: bool = False


LEARNED: dict[str, Learned] = {
    "neuralmd-ode": Learned(NeuralODE, NeuralODESettings),
    "neuralmd-sde": Learned(NeuralSDE, NeuralSDESettings, stochastic=True),
    "verletmd": Learned(VerletMD, VerletMDSettings),
    "gnn-md": Learned(GNNMD, GNNMDSettings),
    "denoising-ld": Learned(DenoisingLD, DenoisingLDSettings, stochastic=True),
    "cg-md": Learned(CGMD, CGMDSettings),
}
"""Every learned dynamics, by the name it has in settings files, model files and tables."""
