"""NeuralMD-SDE: Langevin dynamics about a pose that hops, with noise shaped like the molecule.

    dx = v dt + dy
    dv = (F(z, x; protein)/m − γ v − k (x − y)) dt + sqrt(2 γ k) a N dW
    y  jumps at a rate 1/τ to one of the poses that the ligand has held

The paper's Langevin equation (its Eq. 13) is y = 0 and N a diagonal matrix.  y is the slow motion
that it lacks, and the ligand is carried along with it.  Poses are means over neighbouring known
snapshots, N N' is the covariance of the known snapshots about them (see `fluctuations`), with an
amplitude for each atom from BindingNet; τ is how long the poses of this ligand have lasted.

Without F, x − y and y are independent: the one has the stationary covariance a² N N' whatever γ and
k are (fluctuation and dissipation balance), the other the distribution of the known poses, wells
and all, and its correlation falls as exp(−t/τ).

A step is the splitting of Leimkuhler and Matthews with one force (Appl. Math. Res. eXpress 2013,
34), exact for the friction and in the covariance of a harmonic x.  Then the projection on bonds
and angles.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import LigandScalarNet, Protein
from ..errors import InputError
from .fluctuations import (
    Fluctuations,
    fluctuations,
    holding_time,
    local_means,
    spaced,
)
from .generators import Noise, chosen, uniform_noise
from .openmm_steps import write_sde_step
from .projection import project_batch
from .second_order import (
    SecondOrder,
    SecondOrderSettings,
    inverse_softplus,
    positive,
)
from .state import mean_lengths, remember


class NeuralSDESettings(SecondOrderSettings):
    """Settings of NeuralMD-SDE: those of `SecondOrderSettings`, and these.

    Attributes
    ----------
    coupling : float
        k to start from, 1/Δ².
    amplitude : float
        a to start from.
    floor : float
        Å: independent noise of each atom to start from, beside that of the known snapshots.
    window : int
        Δ: what is slower than this is a change of pose, what is faster shaking about one.
    poses : int
        At most so many poses are remembered.
    modes : int
        At most so many collective modes.

    Examples
    --------
    >>> from openmm_neuralmd.dynamics import NeuralSDESettings
    >>> settings = NeuralSDESettings(poses=24)
    >>> settings.poses, settings.modes, settings.friction
    (24, 24, 4.0)
    """

    friction: float = Field(4.0, gt=0)
    sweeps: int = Field(6, ge=0)
    coupling: float = Field(4.0, gt=0)
    amplitude: float = Field(1.0, gt=0)
    floor: float = Field(0.02, gt=0)
    window: int = Field(10, ge=1)
    poses: int = Field(48, ge=1)
    modes: int = Field(24, ge=1)


class SDEState(NamedTuple):
    """State of B ligands of n atoms.

    Attributes
    ----------
    x, v : Tensor (B, n, 3)
        Å, Å/Δ.
    y : Tensor (B, n, 3)
        The present pose, Å.
    poses : Tensor (B, M, n, 3)
        Those it may jump to, Å.
    tau : Tensor (B,)
        How long a pose lasts, Δ.
    noise : Fluctuations
        N, with the amplitudes of the atoms.
    lengths : Tensor (B, q)
        Distances in Å that the ligand's bonds and angles keep (`ComplexTensors.pairs`).
    """

    x: Tensor
    v: Tensor
    y: Tensor
    poses: Tensor
    tau: Tensor
    noise: Fluctuations
    lengths: Tensor


class NeuralSDE(SecondOrder):
    """Langevin dynamics about a pose that hops (NeuralMD-SDE).

    Parameters
    ----------
    settings : NeuralSDESettings

    Examples
    --------
    >>> from openmm_neuralmd import load_model
    >>> model = load_model("gpcr-ergotamine-sde")
    >>> type(model.dynamics).__name__, model.dynamics.stochastic
    ('NeuralSDE', True)
    """

    settings_class = NeuralSDESettings
    title = "NeuralMD-SDE"
    objectives = ("energy-score",)
    stochastic = True

    def __init__(self, settings: NeuralSDESettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.amplitudes = LigandScalarNet(settings.network, 2)
        self.raw_floor = positive(settings.floor)
        self.raw_coupling = positive(settings.coupling)
        self.raw_window = positive(float(settings.window))
        self.raw_amplitude = positive(settings.amplitude)

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        """See `Dynamics.write_step`."""
        write_sde_step(
            integrator,
            interval,
            fields,
            solver,
            friction=self.friction.item(),
            coupling=self.coupling.item(),
            amplitude=self.amplitude.item(),
            step=self.settings.step,
            modes=self.settings.modes,
            poses=self.settings.poses,
        )

    def per_atom(self, state: SDEState) -> dict[str, Tensor]:
        """The present pose, the poses it may jump to, and the modes of its noise."""
        return {
            "y": state.y[0],
            "rest": state.noise.rest[0].unsqueeze(-1).expand(-1, 3),
            **{f"mode{k}": mode for k, mode in enumerate(state.noise.modes[0])},
            **{f"pose{m}": pose for m, pose in enumerate(state.poses[0])},
        }

    def times(self, state: SDEState) -> dict[str, float]:
        """Return the lifetime of a pose."""
        return {"tau": state.tau.item()}

    @property
    def coupling(self) -> Tensor:
        """k (1,) > 0, 1/Δ²."""
        return softplus(self.raw_coupling)

    @property
    def amplitude(self) -> Tensor:
        """a (1,) ≥ 0."""
        return softplus(self.raw_amplitude)

    def coefficients(self) -> list[nn.Parameter]:
        """Coefficients of the equation itself, which have their own learning rate."""
        return [
            self.raw_friction,
            self.raw_coupling,
            self.raw_window,
            self.raw_amplitude,
            self.raw_floor,
        ]

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> SDEState:
        """State at the last known snapshot; reads nothing later (see `state` for the arguments)."""
        settings, x = self.settings, known[:, -1]
        means = local_means(known, valid, float(settings.window))
        noise = fluctuations(known - means, valid, settings.modes)
        raw = self.amplitudes(c.z, x, c.mask)
        real = c.mask.to(x.dtype)
        gain = softplus(raw[..., 0] + inverse_softplus(1.0)) * real
        floor = softplus(raw[..., 1] + self.raw_floor) * real
        return SDEState(
            x=x,
            v=self.initial_velocity(c, known, valid),
            # The present pose is a mean over the past alone, with a window of its own.
            y=remember(known, valid, softplus(self.raw_window))[:, 0],
            poses=spaced(means, valid, settings.poses),
            tau=holding_time(known, means, valid),
            noise=noise.scaled(gain, floor),
            lengths=mean_lengths(known, valid, c.pairs),
        )

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: SDEState,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, SDEState]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them.

        Parameters
        ----------
        generator : torch.Generator, or one for each ligand
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
        self, c: ComplexTensors, protein: Protein, state: SDEState, generator: Noise
    ) -> SDEState:
        """Take one step, and project on bonds and angles."""
        h, k = self.settings.step, self.coupling
        v = state.v + h * (self.acceleration(c, protein, state.x) - k * (state.x - state.y))
        x = state.x + 0.5 * h * v
        decay = torch.exp(-self.friction * h)
        size = self.amplitude * torch.sqrt(k * (1 - decay.square()))
        v = decay * v + size * state.noise.draw(generator)
        x = x + 0.5 * h * v
        y = self.hop(state, generator)
        x = project_batch(x + y - state.y, c.pairs, state.lengths, self.settings.sweeps)
        return state._replace(x=x, v=v, y=y)

    def hop(self, state: SDEState, generator: Noise) -> Tensor:
        """The pose (B, n, 3) after a step: another one with probability 1 − exp(−step/τ)."""
        batch, poses = state.poses.shape[:2]
        chance = uniform_noise(batch, state.x, generator)
        index = chosen(poses, batch, state.x, generator)
        hops = chance < 1 - torch.exp(-self.settings.step / state.tau)
        drawn = state.poses[torch.arange(batch, device=state.x.device), index]
        return torch.where(hops[:, None, None], drawn, state.y)
