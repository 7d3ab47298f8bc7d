"""DenoisingLD and CG-MD, baselines of the paper that know what a snapshot looks like.

DenoisingLD learns to undo noise: of x̃ = x + σ ε it predicts x − x̃, which over σ² is the score of
the distribution of snapshots (Vincent, Neural Comput. 23, 1661, 2011).  Langevin dynamics on it,

    dx = D s(x) dt + sqrt(2 D) dW,    s(x) = N(z, x; protein) / σ²,

samples snapshots (Arts et al., J. Chem. Theory Comput. 19, 6151, 2023).  CG-MD takes a step of
GNN-MD and denoises where it ends (Fu et al., 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..bindingnet.settings import BindingNetSettings
from ..errors import InputError
from .contract import Dynamics
from .generators import Noise, unit_noise
from .gnn import (
    GNNMD,
    GNNMDSettings,
    Position,
    last_position,
)
from .projection import project_batch


class DenoisingLDSettings(BaseModel):
    """Settings of DenoisingLD, stored in every model file.

    Attributes
    ----------
    network : BindingNetSettings
    sigma : float
        σ, Å: noise that is undone.
    diffusion : float
        D, Å²/Δ.  Steps with D/(σ² steps) above 1 overshoot.
    steps : int
        Langevin steps in one snapshot interval; the paper's best is 10.
    sweeps : int
        Sweeps of the projection on bonds and angles after each step; 0 as in the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings()
    sigma: float = Field(0.2, gt=0)
    diffusion: float = Field(0.1, gt=0)
    steps: int = Field(10, ge=1)
    sweeps: int = Field(0, ge=0)


class DenoisingLD(Dynamics):
    """Langevin dynamics with a denoising network (DenoisingLD).

    Parameters
    ----------
    settings : DenoisingLDSettings
    """

    settings_class = DenoisingLDSettings
    title = "DenoisingLD"
    objectives = ("denoising",)
    stochastic = True

    def __init__(self, settings: DenoisingLDSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Position:
        """See `last_position`."""
        return last_position(c, known, valid)

    def denoising_error(
        self, c: ComplexTensors, protein: Protein, x: Tensor, generator: Noise
    ) -> Tensor:
        """Mean squared error (B,) of the undone noise, in σ², at snapshots x (B, n, 3)."""
        return denoising_error(self.network, self.settings.sigma, c, protein, x, generator)

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: Position,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, Position]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them.

        Raises
        ------
        InputError
            Without a generator.
        """
        if generator is None:
            raise InputError("DenoisingLD draws noise: give it a generator (or a seed)")
        settings = self.settings
        eta = settings.diffusion / settings.steps
        x, path = state.x, []
        for _ in range(snapshots):
            for _ in range(settings.steps):
                score = self.network(c.z, x, c.mask, protein) / settings.sigma**2
                x = x + eta * score + (2 * eta) ** 0.5 * unit_noise(x.shape, x, generator)
                x = project_batch(x, c.pairs, state.lengths, settings.sweeps)
            path.append(x)
        return torch.stack(path, dim=1), state._replace(x=x)


class BothProteins(NamedTuple):
    """A rigid protein as the two networks of CG-MD see it.

    Attributes
    ----------
    dynamics, score : Protein
    """

    dynamics: Protein
    score: Protein


class CGMDSettings(GNNMDSettings):
    """Settings of CG-MD: those of `GNNMDSettings`, and these.

    Attributes
    ----------
    sigma : float
        σ, Å: noise that the score model undoes.
    refinements : int
        Denoising steps after each step of the dynamics.
    """

    sigma: float = Field(0.2, gt=0)
    refinements: int = Field(2, ge=0)


class CGMD(Dynamics):
    """CG-MD: GNN-MD, each snapshot refined by a score model.

    Parameters
    ----------
    settings : CGMDSettings
    """

    settings_class = CGMDSettings
    title = "CG-MD"
    objectives = ("forecast+denoising",)

    def __init__(self, settings: CGMDSettings) -> None:
        super().__init__()
        self.settings = settings
        self.dynamics = GNNMD(GNNMDSettings(network=settings.network, sweeps=settings.sweeps))
        self.score = BindingNet(settings.network)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return no field, since no single network gives the direction of an atom."""
        return ()

    def encode(self, c: ComplexTensors) -> BothProteins:
        """Encode the rigid protein for both networks, once."""
        return BothProteins(self.dynamics.encode(c), self.score.encode(c))

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Position:
        """See `last_position`."""
        return last_position(c, known, valid)

    def denoising_error(
        self, c: ComplexTensors, protein: BothProteins, x: Tensor, generator: Noise
    ) -> Tensor:
        """See `DenoisingLD.denoising_error`."""
        return denoising_error(self.score, self.settings.sigma, c, protein.score, x, generator)

    def integrate(
        self,
        c: ComplexTensors,
        protein: BothProteins,
        state: Position,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, Position]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last; draws no noise."""
        path = []
        for _ in range(snapshots):
            _, state = self.dynamics.integrate(c, protein.dynamics, state, 1)
            x = state.x
            for _ in range(self.settings.refinements):
                x = x + self.score(c.z, x, c.mask, protein.score)
            state = state._replace(x=x)
            path.append(x)
        return torch.stack(path, dim=1), state


def denoising_error(
    network: BindingNet,
    sigma: float,
    c: ComplexTensors,
    protein: Protein,
    x: Tensor,
    generator: Noise,
) -> Tensor:
    """Mean squared error (B,) of the undone noise over real atoms, in units of σ²."""
    noise = unit_noise(x.shape, x, generator)
    predicted = network(c.z, x + sigma * noise, c.mask, protein)
    squared = (predicted / sigma + noise).square().sum(-1) / 3
    real = c.mask.to(x.dtype)
    return (squared * real).sum(1) / real.sum(1)
