"""NeuralMD-SDE: Langevin dynamics about a wandering centre, with noise shaped like the molecule.

    dx   = v dt + Σ_p dy_p
    dv   = (F(z, x; protein)/m − γ v − k (x − m − Σ_p y_p)) dt + sqrt(2 γ k) a_0 N dW_0
    dy_p = −y_p/τ_p dt + sqrt(2/τ_p) a_p N dW_p

m is the mean of the known snapshots, y_p are slow displacements from it: what the paper's Langevin
equation (its Eq. 13) lacks to move on more than one time scale; the ligand is carried along.
N N' is the covariance of the known snapshots, its modes and rest (see `fluctuations`), with an
amplitude for each atom from BindingNet.  Without F it is a sum of independent processes, each with
a stationary covariance a² N N' whatever γ, k and τ are: fluctuation and dissipation balance.

A step is the splitting of Leimkuhler and Matthews with one force (Appl. Math. Res. eXpress 2013,
34), exact for the friction and for the y_p, and exact in the covariance of a harmonic x.  Then the
projection on bonds and angles.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..bindingnet import ComplexTensors, LigandScalarNet, Protein
from ..errors import InputError
from .fluctuations import Fluctuations, fluctuations
from .projection import project_batch
from .second_order import SecondOrder, SecondOrderSettings, inverse_softplus, positive
from .state import mean_lengths, remember

FOREVER = 1e9
"""Δ: the window of a plain mean."""


class NeuralSDESettings(SecondOrderSettings):
    """Settings of NeuralMD-SDE: those of `SecondOrderSettings`, and these.

    Attributes
    ----------
    coupling : float
        k to start from, 1/Δ².
    slow : tuple of float
        Times τ to start from, Δ, shortest first; empty for one time scale.
    amplitude : float
        a of the fast part to start from; the slow ones share the rest: the squares add to 1.  With
        no slow part it is 1.
    modes : int
        At most so many collective modes of the known snapshots.
    floor : float
        Å: independent noise of each atom to start from, beside that of the known snapshots.
    """

    friction: float = Field(4.0, gt=0)
    coupling: float = Field(4.0, gt=0)
    slow: tuple[float, ...] = (4.0, 40.0)
    amplitude: float = Field(0.8, gt=0, lt=1)
    modes: int = Field(24, ge=1)
    floor: float = Field(0.02, gt=0)

    @field_validator("slow")
    @classmethod
    def _rising(cls, slow: tuple[float, ...]) -> tuple[float, ...]:
        if any(t <= 0 for t in slow) or list(slow) != sorted(set(slow)):
            raise ValueError("the times of the slow parts must be positive and rise")
        return slow


class SDEState(NamedTuple):
    """State of B ligands of n atoms.

    Attributes
    ----------
    x, v : Tensor (B, n, 3)
        Å, Å/Δ.
    y : Tensor (B, p, n, 3)
        Slow displacements from the mean, Å.
    mean : Tensor (B, n, 3)
        m, Å.
    noise : Fluctuations
        N, with the amplitudes of the atoms.
    lengths : Tensor (B, q)
        Distances in Å that the ligand's bonds and angles keep (`ComplexTensors.pairs`).
    """

    x: Tensor
    v: Tensor
    y: Tensor
    mean: Tensor
    noise: Fluctuations
    lengths: Tensor


class NeuralSDE(SecondOrder):
    """NeuralMD-SDE.

    Parameters
    ----------
    settings : NeuralSDESettings
    """

    def __init__(self, settings: NeuralSDESettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.amplitudes = LigandScalarNet(settings.network, 2)
        self.raw_floor = positive(settings.floor)
        self.raw_coupling = positive(settings.coupling)
        self.raw_slow = positive(*settings.slow)
        self.raw_window = positive(*settings.slow)
        shares = [((1 - settings.amplitude**2) / len(settings.slow)) ** 0.5 for _ in settings.slow]
        self.raw_amplitude = positive(settings.amplitude if shares else 1.0, *shares)

    @property
    def coupling(self) -> Tensor:
        """k (1,) > 0, 1/Δ²."""
        return softplus(self.raw_coupling)

    @property
    def slow(self) -> Tensor:
        """τ (p,) > 0, Δ."""
        return softplus(self.raw_slow)

    @property
    def amplitude(self) -> Tensor:
        """a (1 + p,) ≥ 0, the fast part's first."""
        return softplus(self.raw_amplitude)

    def coefficients(self) -> list[nn.Parameter]:
        """The few numbers of the dynamics itself, which learn at their own rate."""
        return [
            self.raw_friction,
            self.raw_coupling,
            self.raw_slow,
            self.raw_window,
            self.raw_amplitude,
            self.raw_floor,
        ]

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> SDEState:
        """State at the last known snapshot; reads nothing later (see `state` for the arguments)."""
        x = known[:, -1]
        # Means over longer and longer pasts, the last over all of it: their differences are what
        # is left of the slow displacements.
        windows = torch.cat((softplus(self.raw_window), x.new_full((1,), FOREVER)))
        means = remember(known, valid, windows)
        y = means[:, :-1] - means[:, 1:]
        raw = self.amplitudes(c.z, x, c.mask)
        real = c.mask.to(x.dtype)
        gain = softplus(raw[..., 0] + inverse_softplus(1.0)) * real
        floor = softplus(raw[..., 1] + self.raw_floor) * real
        noise = fluctuations(known, valid, self.settings.modes).scaled(gain, floor)
        v = self.initial_velocity(c, known, valid)
        lengths = mean_lengths(known, valid, c.pairs)
        return SDEState(x, v, y, means[:, -1], noise, lengths)

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: SDEState,
        snapshots: int,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, SDEState]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them.

        Parameters
        ----------
        generator : torch.Generator
            Source of the noise: the same seed gives the same trajectory.

        Raises
        ------
        InputError
            Without a generator.
        """
        if generator is None:
            raise InputError("NeuralMD-SDE draws noise: give it a generator (or a seed)")
        path = []
        for _ in range(snapshots):
            for _ in range(self.settings.steps):
                state = self.step(c, protein, state, generator)
            path.append(state.x)
        return torch.stack(path, dim=1), state

    def step(
        self, c: ComplexTensors, protein: Protein, state: SDEState, generator: torch.Generator
    ) -> SDEState:
        """One step, and the projection on bonds and angles."""
        h, a, k = self.settings.step, self.amplitude, self.coupling
        centre = state.mean + state.y.sum(1)
        v = state.v + h * (self.acceleration(c, protein, state.x) - k * (state.x - centre))
        x = state.x + 0.5 * h * v
        kept = torch.exp(-self.friction * h)
        size = a[0] * torch.sqrt(k * (1 - kept.square()))
        v = kept * v + size * state.noise.draw(generator)
        x = x + 0.5 * h * v
        left = torch.exp(-h / self.slow)
        slow = [
            left[p] * state.y[:, p]
            + a[p + 1] * torch.sqrt(1 - left[p].square()) * state.noise.draw(generator)
            for p in range(len(left))
        ]
        y = torch.stack(slow, dim=1) if slow else state.y
        x = x + y.sum(1) - state.y.sum(1)
        x = project_batch(x, c.pairs, state.lengths, self.settings.sweeps)
        return state._replace(x=x, v=v, y=y)
