"""Production of a run's snapshots, each checked, from its last checkpoint to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from openmm import app

from ..errors import SimulationError
from ..trajectory.history import History
from ..utils.interrupts import whole_step
from ..utils.progress import Advance
from ..utils.resume import PartialRun
from .guard import check_pocket, guard
from .restarts import Restarts, renew
from .start import initialise

if TYPE_CHECKING:
    from ..model import Model

TRAJECTORY = "trajectory.dcd"  # until it has its final name


@dataclass
class Production:
    """An unfinished run and what computes it.

    Attributes
    ----------
    snapshots, checkpoint_every, pocket_limit, progress : see `run.simulate`
    good : int
        Snapshots that the last checkpoint stands for.
    reached : int
        Snapshots that `progress` has heard of; a restart makes some of them anew.
    """

    simulation: app.Simulation
    model: Model
    history: History
    partial: PartialRun
    restarts: Restarts
    snapshots: int
    checkpoint_every: int
    pocket_limit: float | None
    progress: Advance
    good: int = 0
    reached: int = 0

    def complete(self) -> int:
        """Make all snapshots, and return the number that an earlier process had made.

        Raises
        ------
        SimulationError
            See `run.simulate`.
        """
        resumed = self.reached = self._begin()
        if resumed:
            self.progress(resumed, "resumed")
        while True:
            try:
                self._go_on()
                return resumed
            except SimulationError as error:
                self.restarts.add(self.good, error, self.partial.run / TRAJECTORY)
            self._begin()

    def _begin(self) -> int:
        """Restore the last checkpoint, and return the number of good snapshots."""
        restarts, context = self.restarts, self.simulation.context
        at_start = restarts.seed_from(0)
        start_seed = restarts.seed if at_start is None else at_start
        self.simulation.integrator.setRandomNumberSeed(start_seed)
        initialise(context, self.model, self.history.complex, self.history)
        self.good = self.partial.resume(context.loadCheckpoint, self.snapshots)
        seed = restarts.seed_from(self.good)
        if seed is not None:
            renew(context, seed)
        return self.good

    def _go_on(self) -> None:
        """Compute, check and write snapshots, with a checkpoint every few."""
        with self._trajectory() as file:
            for done in range(self.good + 1, self.snapshots + 1):
                with whole_step():
                    self._next_snapshot(file)
                if done % self.checkpoint_every == 0 or done == self.snapshots:
                    state = self.simulation.context.createCheckpoint()
                    self.partial.commit(state, done, [self.partial.run / TRAJECTORY])
                    self.good = done
                if done > self.reached:
                    self.reached = done
                    self.progress(1, "")

    @contextmanager
    def _trajectory(self) -> Iterator[app.DCDFile]:
        append = self.good > 0
        topology, interval = self.history.complex.topology, self.model.card.interval_ps
        with (self.partial.run / TRAJECTORY).open("r+b" if append else "w+b") as file:
            yield app.DCDFile(file, topology, interval, 1, 1, append=append)

    def _next_snapshot(self, file: app.DCDFile) -> None:
        """Advance by one Δ; check and write the snapshot."""
        simulation, complex = self.simulation, self.history.complex
        with guard(simulation, complex):
            simulation.step(simulation.integrator.stepsPerSnapshot)
        limit = self.pocket_limit
        check_pocket(simulation, complex, np.inf if limit is None else limit)
        state = simulation.context.getState(positions=True)
        box = state.getPeriodicBoxVectors() if complex.box is not None else None
        file.writeModel(state.getPositions(asNumpy=True), periodicBoxVectors=box)
