r"""Autocorrelation times of series and trajectories, and the number of independent samples.

A trajectory of length $T$ whose observable has the integrated autocorrelation time $\tau$ holds
$T / 2\tau$ independent samples of it.  Simulated time alone compares no two ways to simulate: one
that remembers ten times as long needs ten times as much of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .coordinates import Array, checked
from .ensemble import correlation_time
from .statistics import integrated_time

FEW = 10.0
"""Independent samples: a trajectory with fewer is too short to tell its autocorrelation time."""


def autocorrelations(series: ArrayLike) -> Array:
    """Autocorrelation of series (S,) or (S, K) about their means at lags 1 to S/2.

    By Fourier transform; (S/2,) or (S/2, K).  NaN for a series that does not vary.
    """
    array = np.asarray(series, dtype=np.float64)
    count = len(array)
    spectrum = np.fft.rfft(array - array.mean(0), 2 * count, axis=0)
    products = np.fft.irfft(np.abs(spectrum) ** 2, axis=0)[: count // 2 + 1]
    covariance = (products.T / (count - np.arange(len(products)))).T
    with np.errstate(invalid="ignore"):
        correlations: Array = covariance[1:] / covariance[0]
    return correlations


def memory(series: ArrayLike) -> float:
    """Integrated autocorrelation time in steps of a series (S,), or of the mean of many (S, K).

    ½ for independent values; the correlation of many is averaged over those that vary.

    Raises
    ------
    InputError
        Fewer than two values, or none that vary.
    """
    array = np.asarray(series, dtype=np.float64)
    if len(array) < 2 or not np.ptp(array, axis=0).any():
        raise InputError("An autocorrelation time needs two values or more, not all the same.")
    columns = array.reshape(len(array), -1)
    moving = columns[:, np.ptp(columns, axis=0) > 0]
    return integrated_time(autocorrelations(moving).mean(axis=1))


class Memory(NamedTuple):
    """Autocorrelation time of the coordinates of a ligand.

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
        """True if the trajectory is long enough; otherwise the true time is usually longer."""
        return self.samples >= FEW


def trajectory_memory(
    x: ArrayLike, interval_ps: float, segments: Sequence[range] | None = None
) -> Memory:
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
