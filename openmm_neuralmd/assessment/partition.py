"""Parts of a trajectory to forecast: in each replica, what follows the training snapshots."""

from __future__ import annotations

from pathlib import Path

import torch

from ..analysis.fluctuation import WINDOW
from ..errors import InputError
from ..trajectory.snapshots import Snapshots
from .chemistry import find_chemistry
from .stretch import Stretch

KNOWN = 30
"""Shortest history, in snapshots, of the first forecast in a replica that was not trained on."""


def check_horizon(ahead: int) -> None:
    """Refuse forecasts that are shorter than the window in which fluctuation is measured.

    Raises
    ------
    InputError
    """
    if ahead < WINDOW:
        raise InputError(
            f"--ahead {ahead}: fluctuation is measured in windows of {WINDOW} snapshots; take "
            f"--ahead {WINDOW} or more"
        )


def first_forecast(wanted: int | None, learned: int, count: int) -> int:
    """Index of the first snapshot to forecast.

    Parameters
    ----------
    wanted : int or None
        By default the first snapshot that the model has not learned from, or the start of the last
        fifth of a trajectory that it does not know.
    learned : int
        Number of snapshots, from the beginning, that the model has learned from.
    count : int
        Number of snapshots.

    Raises
    ------
    InputError
        The model has learned from the wanted one.

    Examples
    --------
    >>> from openmm_neuralmd.assessment.partition import first_forecast
    >>> first_forecast(None, learned=0, count=250)
    200
    >>> first_forecast(None, learned=210, count=250)
    210
    """
    first = wanted if wanted is not None else learned or round(0.8 * count)
    if first < learned:
        raise InputError(
            f"--from {first}: the model has learned from snapshots 0 to {learned - 1} of this "
            f"trajectory; take --from {learned} or later"
        )
    return first


def find_stretches(
    snapshots: Snapshots, begin: int, ahead: int, every: int, sdf: Path | None
) -> list[Stretch]:
    """Return a stretch for each replica that has enough snapshots to forecast.

    Parameters
    ----------
    snapshots : Snapshots
    begin : int
        See `first_forecast`.
    ahead, every : int
        See `Stretch`.
    sdf : Path or None
        See `find_chemistry`.

    Raises
    ------
    InputError
        No replica is long enough.
    """
    chemistry = find_chemistry(sdf, snapshots)
    stretches = []
    for segment in snapshots.segments:
        # A replica that starts after `begin` needs some known snapshots first.
        first = begin if begin > segment.start else segment.start + KNOWN
        if max(first, segment.start + 2) + ahead <= segment.stop:
            own = snapshots[segment.start : segment.stop]
            part = range(max(first - segment.start, 2), len(own))
            before = [s for s in snapshots.segments if s.stop <= segment.start]
            others = [torch.as_tensor(snapshots.ligand[s.start : s.stop]) for s in before]
            stretches.append(
                Stretch(own, part, ahead, every, chemistry, tuple(others), segment.start)
            )
    if not stretches:
        raise InputError(
            f"no replica has {ahead} snapshots to forecast behind snapshot {begin}; take a shorter "
            "--ahead, or an earlier --from"
        )
    return stretches
