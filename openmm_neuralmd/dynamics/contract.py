"""Contract of a learned model: one base class with all attributes that the package uses.

No table elsewhere is keyed by the name or the type of a dynamics.  A class that fills this in and
has its line in `registry.LEARNED` has settings files, model files, training, `rollout`, tables,
mechanics checks and, where it writes its step, OpenMM.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import openmm
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors, complex_tensors
from ..units import to_nm
from ..utils.nested import mapped, rows
from .generators import Noise, row_generators
from .in_openmm import InOpenMM, OpenMMStart

if TYPE_CHECKING:
    from ..structure.complex import Complex


CACHE = 8e6
"""Bytes of a processor's cache that replicas share; more of them at once are slower."""


class Dynamics(nn.Module):
    """A learned model of a ligand's motion.

    `encode` and `start` return NamedTuples of the model's own.  They go back to it unread, at most
    with other rows of the batch (`utils.nested.rows`).

    Attributes
    ----------
    settings_class : type
        Pydantic settings with `extra="forbid"`; the only argument of the constructor, and what a
        model file stores.
    title : str
        Name in sentences, tables and figures.
    objectives : tuple of str
        Training objectives that fit it, the first by default (`training.objectives`).
    stochastic : bool
        Whether it draws noise: tables show an ensemble of it.
    jumps : bool
        Whether it forecasts snapshots; False for a model that gives forces alone.
    instead : str
        What to use it as, where it does not jump or has no force; ends an error message.
    limits : tuple of str
        What its forecasts are not made for, in sentences; `neuralmd info` shows them.
    least_known : int
        Known snapshots that it needs at least; 0 for a model that starts from one structure.
    any_interval : bool
        Whether its steps are exact at any snapshot interval.
    runs_in_openmm : bool
        Whether `write_step` is there.  Then its state has `x`, `v` (B, n, 3) and `lengths` (B, q),
        its settings have `steps` and `sweeps`.
    newtonian : bool
        Whether its force is mass times acceleration.
    fields : tuple of str
        Quantities offered to OpenMM, the main one first: 'force', 'energy', 'refinement'.
    convergence_order : int or None
        Order of its solver in the step; None where a snapshot is one step or steps are adaptive.

    Examples
    --------
    >>> from openmm_neuralmd.dynamics import LEARNED
    >>> LEARNED["neuralmd-ode"].title, LEARNED["neuralmd-sde"].stochastic
    ('NeuralMD-ODE', True)
    """

    settings_class: ClassVar[type[BaseModel]]
    title: ClassVar[str]
    objectives: ClassVar[tuple[str, ...]] = ("mae", "rmse")
    stochastic: ClassVar[bool] = False
    jumps: ClassVar[bool] = True
    instead: ClassVar[str] = ""
    limits: ClassVar[tuple[str, ...]] = ()
    least_known: ClassVar[int] = 1
    any_interval: ClassVar[bool] = False
    runs_in_openmm: ClassVar[bool] = False
    newtonian: ClassVar[bool] = False
    settings: Any
    network: Any

    @property
    def fields(self) -> tuple[str, ...]:
        """See the class."""
        return ("force",)

    @property
    def convergence_order(self) -> int | None:
        """See the class."""
        return None

    def with_steps(self, steps: int) -> Dynamics:
        """Copy with another number of steps in an interval, without projection."""
        raise NotImplementedError(f"{self.title} has no convergence order")

    def coefficients(self) -> list[nn.Parameter]:
        """Parameters of the equation itself, which have their own learning rate; none here."""
        return []

    def encode(self, c: ComplexTensors) -> Any:
        """Encode the rigid protein; a forecast does this once."""
        return self.network.encode(c)

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> Any:
        """State at the last known snapshot; it reads nothing later.

        Parameters
        ----------
        c : ComplexTensors
        known : Tensor (B, T, n, 3)
            Known snapshots in Å, the present one last.
        valid : Tensor (B, T), bool
            False on snapshots that are padding (they come first).
        """
        raise NotImplementedError(f"{self.title} starts from no snapshots")

    def integrate(
        self,
        c: ComplexTensors,
        protein: Any,
        state: Any,
        snapshots: int,
        generator: Noise | None = None,
    ) -> tuple[Tensor, Any]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them."""
        raise NotImplementedError(f"{self.title} does not jump")

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        """Add the variables and the computations of one step.

        Parameters
        ----------
        integrator : openmm.CustomIntegrator
        interval : float
            Δ, ps.
        fields : dict
            Expression of each of `fields`, in OpenMM's units, and of each group of native forces.
        solver : str or None
            Chosen by the user; the model's own where None.

        Raises
        ------
        ModelError
            A solver that cannot run in OpenMM.
        """
        raise NotImplementedError(f"{self.title} does not run inside OpenMM")

    def without_network(self) -> Dynamics | None:
        """Copy without the network's part (F = 0); None if there is no network.

        What remains is the forecast of friction, memory, noise and projection alone.
        """
        other = copy.deepcopy(self)
        try:
            head = other.get_submodule("network.head")
        except AttributeError:
            return None
        for parameter in head.parameters():
            parameter.data.zero_()
        return other

    def check_complex(self, complex: Complex) -> None:
        """Refuse a complex that the model cannot use; none is refused by default.

        Raises
        ------
        InputError
        """

    def stream(
        self,
        complex: Complex,
        known: np.ndarray,
        replicas: Sequence[int],
        parts: Iterable[int],
        *,
        interval: float,
        seed: int,
        device: torch.device | str,
    ) -> Iterator[np.ndarray]:
        """Iterate over parts of the futures of one complex, see `rollouts.rollout`.

        The noise of a replica depends on the seed and on its number alone: not on the other
        replicas, nor on where the parts end.

        Parameters
        ----------
        complex : Complex
        known : (B, T, n, 3) or (1, T, n, 3), Å
            A history of each replica, or one of all.
        replicas : sequence of int
            Numbers of the B replicas.
        parts : iterable of int
            Snapshots of each part.
        interval : float
            Δ, ps.
        seed, device

        Yields
        ------
        (B, part, n, 3), Å
        """
        dtype = next(self.parameters()).dtype
        single = complex_tensors(complex, dtype, device)
        histories = torch.as_tensor(known, dtype=dtype, device=device)
        valid = torch.ones(histories.shape[:2], dtype=torch.bool, device=device)
        with torch.no_grad():
            self.to(device)
            every = torch.zeros(len(replicas), dtype=torch.int64, device=device)
            encoded = self.encode(single)
            state = self.start(rows(single, every[: len(histories)]), histories, valid)
            if len(histories) < len(replicas):
                state = rows(state, every)
        together = self._together(single) if single.z.is_cpu else len(replicas)
        groups = [
            _Group(
                rows(single, every[group]),
                rows(encoded, every[group]),
                rows(state, group),
                row_generators(seed, [replicas[i] for i in group.tolist()]),
            )
            for group in torch.arange(len(replicas), device=device).split(together)
        ]
        for snapshots in parts:
            with torch.no_grad():
                moved = [group.advance(self, snapshots) for group in groups]
            yield torch.cat(moved).double().cpu().numpy()

    def _together(self, c: ComplexTensors) -> int:
        """Replicas whose messages between ligand atoms fit into a processor's cache together."""
        width = getattr(getattr(self.settings, "network", None), "hidden", 1)
        return max(1, int(CACHE // (4 * c.z.shape[1] ** 2 * width)))

    def inside_openmm(self, complex: Complex | None) -> InOpenMM:
        """Object that runs in OpenMM: itself, if its steps are the same for every complex."""
        return self

    @property
    def native(self) -> tuple[str, ...]:
        """See `in_openmm.InOpenMM`."""
        return ()

    @property
    def steps(self) -> int:
        """Steps of the integrator in one snapshot interval."""
        return int(self.settings.steps)

    @property
    def sweeps(self) -> int:
        """Sweeps of the projection on bonds and angles after each step."""
        return int(self.settings.sweeps)

    def native_forces(self, particles: Sequence[int], group: int) -> list[openmm.Force]:
        """See `in_openmm.InOpenMM`; none beside the learned force."""
        return []

    def openmm_start(
        self, complex: Complex, known: np.ndarray, interval: float, seed: int
    ) -> OpenMMStart:
        """See `in_openmm.InOpenMM`; the model's precision is that of its weights."""
        dtype = next(self.parameters()).dtype
        history = torch.as_tensor(known, dtype=dtype).unsqueeze(0)
        valid = torch.ones(history.shape[:2], dtype=torch.bool)
        with torch.no_grad():
            begun = self.start(complex_tensors(complex, dtype), history, valid)
            state = mapped(begun, Tensor.double)
        return OpenMMStart(
            np.asarray(known[-1], dtype=np.float64),
            state.v[0].numpy(),
            state.lengths[0].numpy(),
            {name: to_nm(values.numpy()) for name, values in self.per_atom(state).items()},
            {name: time * interval for name, time in self.times(state).items()},
        )

    def per_atom(self, state: Any) -> dict[str, Tensor]:
        """Per-DOF variables of its step at a start: (n, 3) in Å by name, beside x and v."""
        return {}

    def times(self, state: Any) -> dict[str, float]:
        """Global variables of its step that belong to the complex: times in Δ by name."""
        return {}


@dataclass
class _Group:
    """Replicas that advance together."""

    c: ComplexTensors
    protein: Any
    state: Any
    noise: Noise

    def advance(self, dynamics: Dynamics, snapshots: int) -> Tensor:
        """The next snapshots (B, S, n, 3) in Å."""
        x, self.state = dynamics.integrate(self.c, self.protein, self.state, snapshots, self.noise)
        return x


def forecast(
    dynamics: Dynamics,
    c: ComplexTensors,
    known: Tensor,
    valid: Tensor,
    snapshots: int,
    generator: Noise | None = None,
) -> Tensor:
    """Forecast (B, S, n, 3) in Å from known snapshots (B, T, n, 3), see `Dynamics.start`."""
    state = dynamics.start(c, known, valid)
    return dynamics.integrate(c, dynamics.encode(c), state, snapshots, generator)[0]
