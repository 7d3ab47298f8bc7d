"""NeuralMD as a contestant: inside OpenMM, in torch alone, and many replicas at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ...md.field import ON_CPU
from ...model import Model
from ...rollouts import rollout
from ...simulation.run import RunSettings, make_simulation
from ...simulation.start import initialise
from ...structure.complex import Complex
from .all_atom import Contestant, threads_of
from .timing import paced

FIRST = 10
"""Snapshots of the first repeat."""
MOST = 500
"""Snapshots of a repeat, at most: far from its data a model may lose the ligand."""


@dataclass(frozen=True)
class Learned:
    """A model on a complex.

    Attributes
    ----------
    model : Model
    complex : Complex
        With the atoms that the model reads.
    known : (T, n, 3) float64, Å
        Snapshots that it starts from; what draws noise costs by how they are spread.
    platform : str
        Of OpenMM; torch computes where it does.
    threads : int
        Of OpenMM on the CPU, and of torch.
    """

    model: Model
    complex: Complex
    known: np.ndarray
    platform: str
    threads: int

    @property
    def device(self) -> str:
        """Device of torch: a GPU where OpenMM's platform is one and torch can use it."""
        return "cpu" if self.platform in ON_CPU or not torch.cuda.is_available() else "cuda"

    @property
    def interval_ps(self) -> float:
        """The model's stride."""
        return self.model.card.interval_ps

    def in_openmm(self, backend: str, seconds: float) -> Contestant:
        """A Simulation with `NeuralMDIntegrator`.

        Raises
        ------
        NeuralMDError
            The backend is not there, or the model does not jump inside OpenMM.
        """
        settings = RunSettings(
            platform=self.platform,
            properties=threads_of(self.platform, self.threads),
            backend=backend,
        )
        simulation = make_simulation(self.model, self.complex, settings)
        per_snapshot = simulation.integrator.stepsPerSnapshot
        measure = paced(
            lambda snapshots: simulation.step(snapshots * per_snapshot),
            self.interval_ps,
            seconds,
            first=FIRST,
            most=MOST,
            wait=lambda: simulation.context.getState(positions=True),
            before=lambda: initialise(simulation, self.model, self.complex, self.known),
        )
        return self._contestant(measure, simulation.context.getPlatform().getName())

    def in_torch(self, replicas: int, seconds: float) -> Contestant:
        """`rollout` of many replicas at once; its copy to the host waits for a GPU."""

        def advance(snapshots: int) -> np.ndarray:
            given = self.model, self.complex, self.known, snapshots
            return rollout(*given, replicas=replicas, device=self.device)

        measure = paced(
            advance,
            self.interval_ps * replicas,
            seconds,
            first=FIRST,
            most=MOST,
            before=lambda: torch.set_num_threads(self.threads),  # OpenMM's plug-in sets it too
        )
        copies = 1 if self.model.dynamics.stochastic else replicas
        return self._contestant(measure, f"torch, {self.device}", copies)

    def wait(self) -> None:
        """Wait until the device has done all its work."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def _contestant(
        self, measure: Callable[[], float], platform: str, copies: int = 1
    ) -> Contestant:
        counts = len(self.complex.sites), len(self.complex.positions)
        return Contestant(measure, *counts, platform, copies)
