"""Common parts of the second-order dynamics: BindingNet's force, friction, initial velocity."""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import softplus

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, LigandVectorNet, Protein
from ..bindingnet.settings import BindingNetSettings
from .contract import Dynamics
from .state import last_step


class SecondOrderSettings(BaseModel):
    """Settings that every second-order dynamics has, stored in every model file.

    Attributes
    ----------
    network : BindingNetSettings
        The force network; the ligand-only networks share its sizes.
    step : float
        Solver step in Δ, a whole fraction of 1; the paper's best is 0.5.
    friction : float
        γ to start from, 1/Δ.
    velocity_map : bool
        Map the last displacement to the initial velocity by BindingNet-Ligand.
    sweeps : int
        Sweeps of the projection on bonds and angles after each step; 0 as in the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: BindingNetSettings = BindingNetSettings()
    step: float = Field(0.5, gt=0, le=1)
    friction: float = Field(3.0, gt=0)
    velocity_map: bool = True
    sweeps: int = Field(10, ge=0)

    @field_validator("network")
    @classmethod
    def _directs_forces(cls, network: BindingNetSettings) -> BindingNetSettings:
        if network.head != "force":
            raise ValueError(f"this dynamics needs head 'force', not '{network.head}'")
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


def positive(*starts: float) -> nn.Parameter:
    """Numbers that learn and stay positive: softplus of the parameter is `starts` at first."""
    return nn.Parameter(torch.tensor([inverse_softplus(y) for y in starts]))


class SecondOrder(Dynamics):
    """Force network, friction and initial velocity of a second-order dynamics.

    Parameters
    ----------
    settings : SecondOrderSettings
    """

    newtonian = True
    runs_in_openmm = True

    def __init__(self, settings: SecondOrderSettings) -> None:
        super().__init__()
        self.network = BindingNet(settings.network)
        self.velocity_map = LigandVectorNet(settings.network) if settings.velocity_map else None
        self.raw_friction = nn.Parameter(torch.tensor(inverse_softplus(settings.friction)))

    @property
    def friction(self) -> Tensor:
        """γ ≥ 0, 1/Δ."""
        return softplus(self.raw_friction)

    def initial_velocity(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Tensor:
        """Velocity (B, n, 3) in Å/Δ at the last known snapshot, from the last displacement."""
        v = last_step(known, valid)
        if self.velocity_map is None:
            return v
        mapped: Tensor = self.velocity_map(c.z, known[:, -1], c.mask, v)
        return mapped

    def acceleration(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """F(z, x; protein) / m, (B, n, 3) in Å/Δ²."""
        force: Tensor = self.network(c.z, x, c.mask, protein)
        return force / c.mass.unsqueeze(-1)
