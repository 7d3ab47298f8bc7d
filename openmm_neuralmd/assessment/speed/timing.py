"""Clocks: repeats taken in turn, speeds with their spread, and the parts of one piece of work."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ...utils.progress import Advance, silent

SECONDS_PER_DAY = 86_400.0
Key = TypeVar("Key")


class Spread(NamedTuple):
    """A measurement over its repeats.

    Attributes
    ----------
    median, least, greatest : float
    repeats : int
    """

    median: float
    least: float
    greatest: float
    repeats: int


def cpu_seconds() -> float:
    """CPU time of this process and of the programs that it has called and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def spread(values: Sequence[float]) -> Spread:
    """Median and range of some repeats."""
    array = np.asarray(values, dtype=np.float64)
    return Spread(float(np.median(array)), float(array.min()), float(array.max()), array.size)


def in_turn(
    measures: Mapping[Key, Callable[[], float]], repeats: int, advance: Advance = silent
) -> dict[Key, list[float]]:
    """Take every measurement `repeats` times, in turn.

    A slow moment of the machine hits all alike.

    Parameters
    ----------
    measures : mapping of callables
        Each takes one measurement; warmed up.
    repeats : int
    advance : callable, optional
        Told about each measurement.
    """
    values: dict[Key, list[float]] = {name: [] for name in measures}
    for _ in range(repeats):
        for name, measure in measures.items():
            values[name].append(measure())
            advance(1, str(name))
    return values


def elapsed(work: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> float:
    """Seconds that some work takes; `wait` returns when the device has done all it was given."""
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def ns_per_day(picoseconds: float, seconds: float) -> float:
    """Simulated ns per day of wall time."""
    return picoseconds / 1000.0 * SECONDS_PER_DAY / seconds


def paced(
    advance: Callable[[int], Any],
    unit_ps: float,
    seconds: float,
    *,
    first: int,
    most: int | None = None,
    wait: Callable[[], Any] = lambda: None,
    before: Callable[[], Any] = lambda: None,
) -> Callable[[], float]:
    """A measure of simulated ns/day, whose repeats take about `seconds` each.

    It is called twice here, which warms up and finds out how many units a repeat has: a script is
    compiled in its first calls.

    Parameters
    ----------
    advance : callable
        Simulates so many units (steps, snapshots).
    unit_ps : float
        Simulated time of a unit; of all replicas together where there are several.
    seconds : float
    first : int
        Units of the first repeat.
    most : int, optional
        Units that a repeat has at most.
    wait, before : callable, optional
        See `elapsed`; what comes before each repeat and is not timed.
    """
    units = first

    def measure() -> float:
        nonlocal units
        before()
        taken, done = elapsed(lambda: advance(units), wait), units
        units = max(1, round(done * seconds / taken))
        units = units if most is None else min(units, most)
        return ns_per_day(done * unit_ps, taken)

    measure()
    measure()
    return measure
