"""GNN-MD, a baseline of the paper: the next snapshot from the present one, and so on.

    x_{t+1} = x_t + f(z, x_t; protein)

f is BindingNet's vector per atom, as a displacement in Å.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..bindingnet.settings import BindingNetSettings
from .contract import Dynamics
from .generators import Noise
from .projection import project_batch
from .state import mean_lengths


class Position(NamedTuple):
    """Positions of B ligands of n atoms, the whole state of a first-order dynamics.

    Attributes
    ----------
    x : Tensor (B, n, 3)
        Å.
    lengths : Tensor (B, q)
        Distances in Å that the ligand's bonds and angles keep (`ComplexTensors.pairs`).
    """

    x: Tensor
    lengths: Tensor


def last_position(c: ComplexTensors, known: Tensor, valid: Tensor) -> Position:
    """The last known snapshot; reads nothing later (see `state` for the arguments)."""
    return Position(known[:, -1], mean_lengths(known, valid, c.pairs))


class GNNMDSettings(BaseModel):
    """Settings of GNN-MD, stored in every model file.

    Attributes
    ----------
    network : BindingNetSettings
    sweeps : int
        Sweeps of the projection on bonds and angles after each snapshot; 0 as in the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings()
    sweeps: int = Field(0, ge=0)


class GNNMD(Dynamics):
    """One-step prediction of the next snapshot by a graph network (GNN-MD).

    Parameters
    ----------
    settings : GNNMDSettings
    """

    settings_class = GNNMDSettings
    title = "GNN-MD"

    def __init__(self, settings: GNNMDSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Position:
        """See `last_position`."""
        return last_position(c, known, valid)

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: Position,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, Position]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last; draws no noise."""
        path, x = [], state.x
        for _ in range(snapshots):
            x = x + self.network(c.z, x, c.mask, protein)
            x = project_batch(x, c.pairs, state.lengths, self.settings.sweeps)
            path.append(x)
        return torch.stack(path, dim=1), state._replace(x=x)
