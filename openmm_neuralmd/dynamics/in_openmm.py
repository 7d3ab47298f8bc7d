"""Interface of a dynamics to `create_system`, `NeuralMDIntegrator` and `initialise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import openmm


class OpenMMStart(NamedTuple):
    """State of a dynamics at the last known snapshot, in the units of its integrator.

    Attributes
    ----------
    x : (n, 3) float64, Å
    v : (n, 3) float64, Å/Δ
    lengths : (q,) float64, Å
        Target distances of the projection.
    per_dof : dict of (n, 3) float64
        Per-DOF variables by name, nm and ps.
    scalars : dict of float
        Global variables by name, nm and ps.
    forces : tuple of openmm.Force
        Native forces, whose parameters those of the same name in the System take.
    """

    x: np.ndarray
    v: np.ndarray
    lengths: np.ndarray
    per_dof: dict[str, np.ndarray]
    scalars: dict[str, float]
    forces: tuple[openmm.Force, ...] = ()


class InOpenMM(Protocol):
    """A dynamics inside OpenMM; `contract.Dynamics` is one, unless its steps need the complex.

    Attributes
    ----------
    fields : tuple of str
        Learned forces that the step reads, see `Dynamics`.
    native : tuple of str
        Names of the groups of `native_forces` in order; the step gets their expressions.
    steps : int
        Steps of the integrator in one snapshot interval.
    sweeps : int
        Sweeps of the projection on bonds and angles after each step.
    """

    @property
    def fields(self) -> tuple[str, ...]:
        """See the class."""
        ...

    @property
    def native(self) -> tuple[str, ...]:
        """See the class."""
        ...

    @property
    def steps(self) -> int:
        """See the class."""
        ...

    @property
    def sweeps(self) -> int:
        """See the class."""
        ...

    def native_forces(self, particles: Sequence[int], group: int) -> list[openmm.Force]:
        """Forces of OpenMM alone, one or more in each of the groups from this one on.

        Parameters
        ----------
        particles : sequence of int, (n,)
            Of the ligand's atoms that the dynamics moves.
        group : int
        """
        ...

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        """See `Dynamics.write_step`."""
        ...

    def openmm_start(
        self, complex: Any, known: np.ndarray, interval: float, seed: int
    ) -> OpenMMStart:
        """State at the last of the known snapshots (T, n, 3) in Å.

        Parameters
        ----------
        complex : Complex
        known : (T, n, 3), Å
        interval : float
            Δ, ps.
        seed : int
            Of what the start draws.
        """
        ...
