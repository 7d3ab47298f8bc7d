"""Memory of the ligand in all-atom MD and in a model's own trajectory, by one observable."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...analysis.memory import Memory, trajectory_memory
from ...errors import InputError
from ...model import Model
from ...structure.complex import Complex
from ...trajectory.snapshots import Snapshots
from ...utils.times import show_time
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
        """(T, n, 3) in Å, what a model's own trajectory starts from."""
        return self.strided.ligand[:KNOWN]


def open_run(model: Model, complex: Complex, fine: Snapshots, folder: Path) -> Run:
    """A run of MD whose snapshots are as fine as the model's interval, or finer.

    Parameters
    ----------
    model : Model
    complex : Complex
        The complex that is timed.
    fine : Snapshots
        The run.
    folder : Path
        Where it was read from.

    Raises
    ------
    InputError, ModelError
        Another ligand than in `complex`, another stride, or too short a run.
    """
    _check_ligand(fine, complex, folder)
    strided = _at_stride(fine, model.card.interval_ps, folder)
    model.check(strided.complex, strided.interval_ps)
    if len(strided) < KNOWN + SHORTEST:
        raise InputError(
            f"{folder}: {len(strided)} snapshots at the model's stride are too few to compare "
            f"memories; {KNOWN + SHORTEST} are the least"
        )
    return Run(folder.name, fine, strided)


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
    """For the result file."""
    return {**memory._asdict(), "samples": memory.samples, "resolved": memory.resolved}


def _at_stride(run: Snapshots, interval_ps: float, folder: Path) -> Snapshots:
    """The first segment's snapshots at another interval, a whole multiple of its own."""
    every = round(interval_ps / run.interval_ps)
    if every < 1 or abs(every * run.interval_ps - interval_ps) > 1e-3 * interval_ps:
        raise InputError(
            f"{folder}: snapshots every {show_time(run.interval_ps)}; the model's stride, "
            f"{show_time(interval_ps)}, has to be a whole multiple: take a finer run"
        )
    first = run.segments[0]
    ligand = run.ligand[first.start : first.stop : every]
    return Snapshots(run.complex, ligand, interval_ps)


def _check_ligand(run: Snapshots, complex: Complex, folder: Path) -> None:
    mine, other = (
        sorted(c.ligand_atomic_numbers[c.sites].tolist()) for c in (complex, run.complex)
    )
    if mine != other:
        raise InputError(
            f"{folder}: a ligand of {len(other)} atoms that is not the {len(mine)} of "
            f"{complex.name}; take a run of the complex that is timed"
        )
