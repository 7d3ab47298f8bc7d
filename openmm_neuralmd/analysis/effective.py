r"""Independent samples: how often a trajectory tells something new, and what that makes of a speed.

A trajectory of length $T$ whose observable has the integrated autocorrelation time $\tau$ holds
$T / 2\tau$ independent samples of it.  Simulated time alone compares no two ways to simulate: one
that remembers ten times as long needs ten times as much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from openmm_neuralmd.analysis.coordinates import checked
from openmm_neuralmd.analysis.ensemble import correlation_time
from openmm_neuralmd.errors import InputError

FEW = 10.0
"""Independent samples: a trajectory with fewer is too short to tell its autocorrelation time."""


class Memory(NamedTuple):
    """How long the coordinates of a ligand remember.

    Attributes
    ----------
    time_ps : float
        Integrated autocorrelation time τ; half the interval where no two snapshots are correlated.
    length_ps : float
        Of all segments together.
    interval_ps : float
        Between snapshots.
    """

    time_ps: float
    length_ps: float
    interval_ps: float

    @property
    def samples(self) -> float:
        """Independent samples in the trajectory."""
        return self.length_ps / (2.0 * self.time_ps)

    @property
    def resolved(self) -> bool:
        """Whether the trajectory is long enough; else the true time is longer, as a rule."""
        return self.samples >= FEW


def memory(x: ArrayLike, interval_ps: float, segments: Sequence[range] | None = None) -> Memory:
    """The memory of a trajectory.

    Parameters
    ----------
    x : array (T, n, 3)
        Snapshots, Å.
    interval_ps : float
    segments : sequence of range, optional
        Stretches without a break; one without.

    Raises
    ------
    InputError
        It does not move, or is too short for any lag.
    """
    array = checked(x)
    if np.ptp(array, axis=0).max() <= 1e-9:
        raise InputError("the ligand does not move: there is no autocorrelation time")
    time = correlation_time(array, segments) * interval_ps
    return Memory(time, len(array) * interval_ps, interval_ps)


def independent_per_day(ns_per_day: float, time_ps: float) -> float:
    """Independent samples per day of wall time.

    Parameters
    ----------
    ns_per_day : float
        Simulated, of all replicas together.
    time_ps : float
        Integrated autocorrelation time.
    """
    return 1000.0 * ns_per_day / (2.0 * time_ps)
