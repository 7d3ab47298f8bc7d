"""Memory of the ligand in all-atom MD and in a model's own trajectory, by one observable."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...analysis.memory import Memory, trajectory_memory
from ...errors import InputError
from ...model import Model
from ...trajectory.snapshots import Snapshots
from ..contestants import learned_samplers

KNOWN = 30
"""Snapshots that a model's trajectory starts from."""
SHORTEST = 10
"""Snapshots of it, at least."""


class Run(NamedTuple):
    """All-atom MD of the complex that is timed.

    Attributes
    ----------
    name : str
    fine : Snapshots
        All there are.
    strided : Snapshots
        Of the first segment, at the model's stride.
    """

    name: str
    fine: Snapshots
    strided: Snapshots

    @property
    def known(self) -> np.ndarray:
        """Known snapshots (T, n, 3) in Å that a model's own trajectory starts from."""
        return self.strided.ligand[:KNOWN]


def memories(model: Model, run: Run) -> dict[str, Any]:
    """Autocorrelation times of the ligand's coordinates, by a run of MD and by the model.

    The MD counts at all its snapshots, the model at its stride; each for as long as the run is.

    Returns
    -------
    dict
        ``reference``, ``md`` and ``model`` (see `told`); ``why`` where the model has no memory.
    """
    count = len(run.strided) - len(run.known)
    memory: dict[str, Any] = {"reference": run.name}
    memory["md"] = told(trajectory_memory(run.fine.ligand, run.fine.interval_ps, run.fine.segments))
    try:
        futures = learned_samplers(model, run.strided)[model.card.kind](run.known, count)
        segments = [range(i * count, (i + 1) * count) for i in range(len(futures))]
        own = trajectory_memory(np.concatenate(futures), run.strided.interval_ps, segments)
        memory["model"], memory["why"] = told(own), ""
    except InputError as error:
        memory["model"], memory["why"] = None, str(error)
    return memory


def told(memory: Memory) -> dict[str, Any]:
    """Return the values that the result file stores."""
    return {**memory._asdict(), "samples": memory.samples, "resolved": memory.resolved}
