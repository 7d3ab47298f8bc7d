"""Time stamps of a trajectory: where replicas start, and how far apart the snapshots are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import InputError
from ..units import picoseconds

_UNIFORM = 0.01  # relative spread of time steps that rounding in a file explains
_FLOAT32 = 2.0**-22  # relative error of the difference of two float32 stamps


def find_replicas(
    name: str, count: int, times: np.ndarray | None, boundaries: list[int] | None
) -> tuple[int, ...]:
    """Index of the first snapshot of each later replica.

    Parameters
    ----------
    name : str
        The file's, for messages.
    count : int
        Number of snapshots.
    times : (T,) float64 ps, optional
        A replica starts wherever they do not increase.
    boundaries : list of int, optional
        The caller's word instead.
    """
    if boundaries is not None:
        if any(not 0 < b < count for b in boundaries):
            raise InputError(
                f"{name}: boundaries {boundaries} must lie inside its {count} snapshots"
            )
        return tuple(boundaries)
    if times is None:
        return ()
    return tuple((np.flatnonzero(np.diff(times) <= 0) + 1).tolist())


def find_interval(
    name: str, times: np.ndarray | None, breaks: tuple[int, ...], interval: Any
) -> float:
    """Time between snapshots in ps: the caller's word, else the stamps within replicas.

    Raises
    ------
    InputError
        Neither is there, the interval is not positive, or the stamps are not equally spaced
        (snapshots are missing, which no `interval` can mend).
    """
    given = None if interval is None else picoseconds(interval)
    if given is not None and not 0 < given < np.inf:
        raise InputError(f"interval={given} ps: the time between snapshots must be positive")
    measured = None if times is None else _uniform_step(name, times, breaks)
    step = measured if given is None else given
    if step is None:
        raise InputError(
            f"{name} does not say how much time lies between its snapshots; give interval= (ps)"
        )
    return step


def _uniform_step(name: str, times: np.ndarray, breaks: tuple[int, ...]) -> float:
    steps = np.delete(np.diff(times), np.array(breaks, dtype=int) - 1)
    if not len(steps):
        raise InputError(f"{name}: every replica has one snapshot only; check boundaries=")
    median = float(np.median(steps))
    allowed = _UNIFORM * abs(median) + _FLOAT32 * float(np.abs(times).max())
    if median <= 0 or (np.abs(steps - median) > allowed).any():
        raise InputError(
            f"{name}: the time between snapshots is not uniform ({steps.min():g} to "
            f"{steps.max():g} ps); mark replicas with boundaries=, or write it at one stride"
        )
    return median


def take_every(
    stride: int, count: int, breaks: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Indices of every stride-th snapshot of each replica, and the breaks among them."""
    if stride < 1:
        raise InputError(f"stride={stride} must be 1 or more")
    parts = [np.arange(a, b, stride) for a, b in pairwise([0, *breaks, count])]
    starts = np.cumsum([len(part) for part in parts])[:-1]
    return np.concatenate(parts), tuple(starts.tolist())
