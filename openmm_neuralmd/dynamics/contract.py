"""The contract of a learned model: one base class, whose attributes say all the package asks.

No table elsewhere is keyed by the name or the type of a dynamics.  A class that fills this in and
has its line in `registry.LEARNED` has settings files, model files, training, `rollout`, tables,
mechanics checks and, where it writes its step, OpenMM.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors


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
        What to use it as, where it does not jump; ends an error message.
    runs_in_openmm : bool
        Whether `write_step` is there.  Then its state has `x`, `v` (B, n, 3) and `lengths` (B, q),
        its settings have `steps` and `sweeps`.
    newtonian : bool
        Whether its force is mass times acceleration.
    fields : tuple of str
        Quantities offered to OpenMM, the main one first: 'force', 'energy', 'refinement'.
    convergence_order : int or None
        Order of its solver in the step; None where a snapshot is one step or steps are adaptive.
    """

    settings_class: ClassVar[type[BaseModel]]
    title: ClassVar[str]
    objectives: ClassVar[tuple[str, ...]] = ("mae", "rmse")
    stochastic: ClassVar[bool] = False
    jumps: ClassVar[bool] = True
    instead: ClassVar[str] = ""
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
        """The same weights with another number of steps in an interval, and no projection."""
        raise NotImplementedError(f"{self.title} has no convergence order")

    def coefficients(self) -> list[nn.Parameter]:
        """Parameters of the equation itself, which learn at a rate of their own; none here."""
        return []

    def encode(self, c: ComplexTensors) -> Any:
        """What depends on the rigid protein alone; it is evaluated once for a forecast."""
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
        generator: torch.Generator | None = None,
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
            Expression of each of `fields`, in OpenMM's units.
        solver : str or None
            Chosen by the user; the model's own where None.

        Raises
        ------
        ModelError
            A solver that cannot run in OpenMM.
        """
        raise NotImplementedError(f"{self.title} does not run inside OpenMM")

    def per_atom(self, state: Any) -> dict[str, Tensor]:
        """Per-DOF variables of its step at a start: (n, 3) in Å by name, beside x and v."""
        return {}

    def times(self, state: Any) -> dict[str, float]:
        """Global variables of its step that belong to the complex: times in Δ by name."""
        return {}


def forecast(
    dynamics: Dynamics,
    c: ComplexTensors,
    known: Tensor,
    valid: Tensor,
    snapshots: int,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Forecast (B, S, n, 3) in Å from known snapshots (B, T, n, 3), see `Dynamics.start`."""
    state = dynamics.start(c, known, valid)
    return dynamics.integrate(c, dynamics.encode(c), state, snapshots, generator)[0]
