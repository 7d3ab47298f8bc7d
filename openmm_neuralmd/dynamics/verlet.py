"""VerletMD, a baseline of the paper: velocity Verlet on the energy of BindingNet.

    d²x/dt² = −∇E(z, x; protein) / m

Here it jumps snapshots as the paper's does; the same network as a femtosecond force is an
`EnergyModel` in a `NeuralMDForce`.  Inside, the energy is in amu Å²/Δ².
"""

from __future__ import annotations

import copy

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..bindingnet.settings import BindingNetSettings, EnergyNetwork
from ..units import NM_PER_ANGSTROM, acceleration_factor
from .contract import Dynamics
from .generators import Noise
from .projection import project_batch
from .state import State, last_step, mean_lengths


class VerletMDSettings(BaseModel):
    """Settings of VerletMD, stored in every model file.

    Attributes
    ----------
    network : BindingNetSettings
        With head 'energy'.
    steps : int
        Steps of velocity Verlet in one snapshot interval.
    sweeps : int
        Sweeps of the projection on bonds and angles after each step; 0 as in the paper.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: EnergyNetwork = BindingNetSettings(head="energy")
    steps: int = Field(2, ge=1)
    sweeps: int = Field(0, ge=0)


class VerletMD(Dynamics):
    """Velocity Verlet on the energy of BindingNet (VerletMD).

    Parameters
    ----------
    settings : VerletMDSettings
    """

    settings_class = VerletMDSettings
    title = "VerletMD"
    newtonian = True

    def __init__(self, settings: VerletMDSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the energy of the model, whose gradient is the force."""
        return ("energy",)

    @property
    def convergence_order(self) -> int | None:
        """Return the convergence order of velocity Verlet."""
        return 2

    def with_steps(self, steps: int) -> VerletMD:
        """See `Dynamics.with_steps`."""
        other = copy.copy(self)
        other.settings = self.settings.model_copy(update={"steps": steps, "sweeps": 0})
        return other

    def energy_unit(self, interval_ps: float) -> float:
        """kJ/mol in one unit of the network's output, amu Å²/Δ²."""
        return NM_PER_ANGSTROM * acceleration_factor(interval_ps)

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> State:
        """The last known snapshot and the last displacement; no memory."""
        x = known[:, -1]
        nothing = x.new_zeros(x.shape[0], 0, *x.shape[1:])
        lengths = mean_lengths(known, valid, c.pairs)
        return State(x, last_step(known, valid), nothing, lengths)

    def acceleration(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """−∇E/m, (B, n, 3) in Å/Δ²; differentiable while gradients are on."""
        if torch.is_grad_enabled():
            place = x if x.requires_grad else x.detach().requires_grad_()
            energy = self.network(c.z, place, c.mask, protein).sum()
            (gradient,) = torch.autograd.grad(energy, place, create_graph=True)
        else:
            gradient = self.network.gradient(c.z, x, c.mask, protein)[1].x
        return -gradient / c.mass.unsqueeze(-1)

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: State,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, State]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last; draws no noise."""
        h = 1.0 / self.settings.steps
        x, v, path = state.x, state.v, []
        a = self.acceleration(c, protein, x)
        for _ in range(snapshots):
            for _ in range(self.settings.steps):
                v = v + 0.5 * h * a
                x = project_batch(x + h * v, c.pairs, state.lengths, self.settings.sweeps)
                a = self.acceleration(c, protein, x)
                v = v + 0.5 * h * a
            path.append(x)
        return torch.stack(path, dim=1), state._replace(x=x, v=v)
