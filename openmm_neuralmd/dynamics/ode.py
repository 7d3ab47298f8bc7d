"""NeuralMD-ODE: Newtonian dynamics with friction and memory, driven by BindingNet.

    dx/dt = v + α R(z, x)
    dv/dt = F(z, x; protein) / m − γ v − Σ_p k_p (x − y_p)
    dy_p/dt = (x − y_p) / τ_p

The paper's second-order equation (its Eq. 12 and 14) is γ = k = 0.  Friction lets the model find
the overdamped limit: at strides of tens of picoseconds and more the difference of two snapshots
carries almost no momentum.  The memory terms are a generalised Langevin equation in Markovian
form; they let it know the mean of the recent past, which no function of (x, v) can.  After each
solver step a few sweeps of position-based projection bring bonds and angles back to the lengths
they had in the known snapshots: a forecast is close to a mean, and a mean of molecules is not a
molecule.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import softplus
from torchdiffeq import odeint, odeint_adjoint

from ..bindingnet import BindingNet, BindingNetSettings, ComplexTensors, LigandVectorNet, Protein
from .projection import project
from .state import State, last_step, mean_lengths, remember


class NeuralODESettings(BaseModel):
    """Settings of NeuralMD-ODE, stored in every model file.

    Attributes
    ----------
    network : BindingNetSettings
        The force network; the ligand-only networks share its sizes.
    solver : str
        torchdiffeq's 'euler', 'midpoint', 'rk4' (its 3/8 rule) or 'dopri5'.
    step : float
        Solver step in Δ, a whole fraction of 1; the paper's best is 0.5.  'dopri5' chooses its
        own steps inside it.
    friction : float
        γ to start from, 1/Δ.
    memory : tuple of float
        Memory times τ to start from, Δ; empty for no memory.
    coupling : float
        k to start from, 1/Δ², the same for every memory term.
    velocity_map : bool
        Map the last displacement to the initial velocity by BindingNet-Ligand.
    refinement : float
        α, the coefficient of the velocity refinement; 0 switches it off.
    sweeps : int
        Sweeps of the projection on bonds and angles after each step; 0 as in the paper.
    adjoint : bool
        Gradients by the adjoint method: memory that does not grow with the number of steps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings()
    solver: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    step: float = Field(0.5, gt=0, le=1)
    friction: float = Field(1.0, gt=0)
    memory: tuple[float, ...] = (5.0, 20.0)
    coupling: float = Field(0.1, gt=0)
    velocity_map: bool = True
    refinement: float = Field(0.0, ge=0)
    sweeps: int = Field(10, ge=0)
    adjoint: bool = False

    @field_validator("network")
    @classmethod
    def _directs_forces(cls, network: BindingNetSettings) -> BindingNetSettings:
        if network.head != "force":
            raise ValueError(f"NeuralMD-ODE needs head 'force', not '{network.head}'")
        return network

    @field_validator("step")
    @classmethod
    def _divides_the_interval(cls, step: float) -> float:
        if abs(round(1 / step) * step - 1) > 1e-9:
            raise ValueError(f"{step:g} does not divide the snapshot interval: take 1/2, 1/4, ...")
        return step

    @property
    def steps(self) -> int:
        """Solver steps in one snapshot interval."""
        return round(1 / self.step)


def inverse_softplus(y: float) -> float:
    """The x with softplus(x) = y."""
    return y + math.log(-math.expm1(-y))


class NeuralODE(nn.Module):
    """NeuralMD-ODE.

    Parameters
    ----------
    settings : NeuralODESettings
    """

    def __init__(self, settings: NeuralODESettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)
        self.velocity_map = LigandVectorNet(settings.network) if settings.velocity_map else None
        self.refinement = LigandVectorNet(settings.network) if settings.refinement > 0 else None
        self.raw_friction = nn.Parameter(torch.tensor(inverse_softplus(settings.friction)))
        start = [inverse_softplus(tau) for tau in settings.memory]
        self.raw_memory = nn.Parameter(torch.tensor(start))
        couplings = [inverse_softplus(settings.coupling)] * len(start)
        self.raw_coupling = nn.Parameter(torch.tensor(couplings))

    @property
    def friction(self) -> Tensor:
        """γ ≥ 0, 1/Δ."""
        return softplus(self.raw_friction)

    @property
    def memory(self) -> Tensor:
        """τ (p,) > 0, Δ."""
        return softplus(self.raw_memory)

    @property
    def coupling(self) -> Tensor:
        """k (p,) ≥ 0, 1/Δ²."""
        return softplus(self.raw_coupling)

    def coefficients(self) -> list[nn.Parameter]:
        """The few numbers of the dynamics itself, which learn at their own rate."""
        return [self.raw_friction, self.raw_memory, self.raw_coupling]

    def encode(self, c: ComplexTensors) -> Protein:
        """The rigid protein, once."""
        return self.network.encode_protein(
            c.residue_type, c.backbone, c.frame_atoms, c.isolated, c.residue_mask
        )

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> State:
        """State at the last known snapshot; reads nothing later (see `state` for the arguments)."""
        x, v = known[:, -1], last_step(known, valid)
        if self.velocity_map is not None:
            v = self.velocity_map(c.z, x, c.mask, v)
        y = remember(known, valid, self.memory)
        return State(x, v, y, mean_lengths(known, valid, c.pairs))

    def integrate(
        self, c: ComplexTensors, protein: Protein, state: State, snapshots: int
    ) -> tuple[Tensor, State]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them."""
        field = VectorField(self, c, protein)
        keep = flatten_pairs(c.pairs, state.lengths, state.x.shape[1])
        path = []
        for _ in range(snapshots):
            for _ in range(self.settings.steps):
                state = self.step(field, state, keep)
            path.append(state.x)
        return torch.stack(path, dim=1), state

    def step(self, field: VectorField, state: State, keep: tuple[Tensor, Tensor]) -> State:
        """One solver step, and the projection on the pairs and lengths to keep."""
        settings = self.settings
        times = torch.tensor([0.0, settings.step], dtype=state.x.dtype, device=state.x.device)
        start = (state.x, state.v, state.y)
        if settings.adjoint:
            parameters = tuple(self.parameters())
            ends = odeint_adjoint(
                field, start, times, method=settings.solver, adjoint_params=parameters
            )
        else:
            ends = odeint(field, start, times, method=settings.solver)
        x, v, y = (end[-1] for end in ends)
        x = project(x.flatten(0, 1), *keep, sweeps=settings.sweeps).view_as(x)
        return State(x, v, y, state.lengths)

    def forward(self, c: ComplexTensors, known: Tensor, valid: Tensor, snapshots: int) -> Tensor:
        """Forecast (B, S, n, 3) in Å from known snapshots (B, T, n, 3)."""
        return self.integrate(c, self.encode(c), self.start(c, known, valid), snapshots)[0]


def flatten_pairs(pairs: Tensor, lengths: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Pairs (B, q, 2) and lengths (B, q) of a batch, as those of one molecule of B n atoms."""
    offset = n * torch.arange(pairs.shape[0], device=pairs.device)[:, None, None]
    real = pairs[..., 0] >= 0
    return (pairs + offset)[real], lengths[real]


class VectorField(nn.Module):
    """Time derivative of the State of one batch of complexes, in torchdiffeq's form."""

    def __init__(self, model: NeuralODE, c: ComplexTensors, protein: Protein) -> None:
        super().__init__()
        self.model = model
        self.c = c
        self.protein = protein
        self.friction, self.coupling, self.memory = model.friction, model.coupling, model.memory

    def forward(self, t: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        """(dx/dt, dv/dt, dy/dt); the time t (Δ) does not enter."""
        x, v, y = state
        model, c = self.model, self.c
        force = model.network(c.z, x, c.mask, self.protein)
        lag = x.unsqueeze(1) - y
        pull = (self.coupling[:, None, None] * lag).sum(1)
        dv = force / c.mass.unsqueeze(-1) - self.friction * v - pull
        dx = v
        if model.refinement is not None:
            zero = torch.zeros_like(x)
            dx = v + model.settings.refinement * model.refinement(c.z, x, c.mask, zero)
        return dx, dv, lag / self.memory[:, None, None]
