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

import copy
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus
from torchdiffeq import odeint, odeint_adjoint

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import LigandVectorNet, Protein
from .generators import Noise
from .openmm_steps import write_ode_step
from .projection import project_batch
from .second_order import SecondOrder, SecondOrderSettings, positive
from .solvers import SOLVERS
from .state import State, mean_lengths, remember


class NeuralODESettings(SecondOrderSettings):
    """Settings of NeuralMD-ODE: those of `SecondOrderSettings`, and these.

    Attributes
    ----------
    solver : str
        torchdiffeq's 'euler', 'midpoint', 'rk4' (its 3/8 rule) or 'dopri5', which chooses its own
        steps inside `step`.
    memory : tuple of float
        Memory times τ to start from, Δ; empty for no memory.
    coupling : float
        k to start from, 1/Δ², the same for every memory term.
    refinement : float
        α, the coefficient of the velocity refinement; 0 switches it off.
    adjoint : bool
        Gradients by the adjoint method: memory that does not grow with the number of steps.

    Examples
    --------
    >>> from openmm_neuralmd.dynamics import NeuralODESettings
    >>> settings = NeuralODESettings(solver="rk4", memory=(10.0,))
    >>> settings.step, settings.coupling
    (0.5, 1.25)
    """

    solver: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    memory: tuple[float, ...] = (5.0, 50.0)
    coupling: float = Field(1.25, gt=0)
    refinement: float = Field(0.0, ge=0)
    adjoint: bool = False


class NeuralODE(SecondOrder):
    """Newtonian dynamics with friction and memory (NeuralMD-ODE).

    Parameters
    ----------
    settings : NeuralODESettings

    Examples
    --------
    >>> from openmm_neuralmd.dynamics import NeuralODE, NeuralODESettings
    >>> NeuralODE(NeuralODESettings(step=0.5, solver="midpoint")).convergence_order
    2
    """

    settings_class = NeuralODESettings
    title = "NeuralMD-ODE"

    def __init__(self, settings: NeuralODESettings) -> None:
        super().__init__(settings)
        self.settings = settings
        self.refinement = LigandVectorNet(settings.network) if settings.refinement > 0 else None
        self.raw_memory = positive(*settings.memory)
        self.raw_coupling = positive(*[settings.coupling] * len(settings.memory))

    @property
    def friction(self) -> Tensor:
        """γ ≥ 0, 1/Δ, at most what the solver is stable with.

        Along bonds and angles the projection takes back every displacement, so nothing but friction
        acts on the velocity there: it grows without end where a step is too long for γ, long after
        the few snapshots that training looks ahead.  The gradient passes the bound, so that γ can
        come back from it.
        """
        gamma, limit = softplus(self.raw_friction), SOLVERS[self.settings.solver].stability_limit
        return gamma - torch.relu(gamma - limit / self.settings.step).detach()

    @property
    def fields(self) -> tuple[str, ...]:
        """The force, and the velocity refinement of a model that has one."""
        return ("force",) if self.refinement is None else ("force", "refinement")

    @property
    def convergence_order(self) -> int | None:
        """Return the convergence order of the solver."""
        return SOLVERS[self.settings.solver].order

    def with_steps(self, steps: int) -> NeuralODE:
        """See `Dynamics.with_steps`."""
        other = copy.copy(self)
        other.settings = self.settings.model_copy(update={"step": 1 / steps, "sweeps": 0})
        return other

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        """See `Dynamics.write_step`."""
        write_ode_step(
            integrator,
            interval,
            fields,
            solver or self.settings.solver,
            friction=self.friction.item(),
            coupling=self.coupling.tolist(),
            memory=self.memory.tolist(),
        )

    def per_atom(self, state: State) -> dict[str, Tensor]:
        """Memory variables of the dynamics."""
        return {f"y{p}": y for p, y in enumerate(state.y[0])}

    @property
    def memory(self) -> Tensor:
        """τ (p,) > 0, Δ."""
        return softplus(self.raw_memory)

    @property
    def coupling(self) -> Tensor:
        """k (p,) ≥ 0, 1/Δ²."""
        return softplus(self.raw_coupling)

    def coefficients(self) -> list[nn.Parameter]:
        """Coefficients of the equation itself, which have their own learning rate."""
        return [self.raw_friction, self.raw_memory, self.raw_coupling]

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> State:
        """State at the last known snapshot; reads nothing later (see `state` for the arguments)."""
        v = self.initial_velocity(c, known, valid)
        y = remember(known, valid, self.memory)
        return State(known[:, -1], v, y, mean_lengths(known, valid, c.pairs))

    def integrate(
        self,
        c: ComplexTensors,
        protein: Protein,
        state: State,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, State]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last; draws no noise."""
        field = VectorField(self, c, protein)
        path = []
        for _ in range(snapshots):
            for _ in range(self.settings.steps):
                state = self.step(field, state)
            path.append(state.x)
        return torch.stack(path, dim=1), state

    def step(self, field: VectorField, state: State) -> State:
        """Take one solver step, and project on bonds and angles."""
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
        x = project_batch(x, field.c.pairs, state.lengths, settings.sweeps)
        return State(x, v, y, state.lengths)


class VectorField(nn.Module):
    """Time derivative of the State of one batch of complexes, in torchdiffeq's form."""

    def __init__(self, model: NeuralODE, c: ComplexTensors, protein: Protein) -> None:
        super().__init__()
        self.model = model
        self.c = c
        self.protein = protein
        self.friction, self.coupling, self.memory = model.friction, model.coupling, model.memory

    def forward(self, t: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        """Derivatives (dx/dt, dv/dt, dy/dt); they do not depend on the time t (Δ)."""
        x, v, y = state
        model, c = self.model, self.c
        lag = x.unsqueeze(1) - y
        pull = (self.coupling[:, None, None] * lag).sum(1)
        dv = model.acceleration(c, self.protein, x) - self.friction * v - pull
        dx = v
        if model.refinement is not None:
            zero = torch.zeros_like(x)
            dx = v + model.settings.refinement * model.refinement(c.z, x, c.mask, zero)
        return dx, dv, lag / self.memory[:, None, None]
