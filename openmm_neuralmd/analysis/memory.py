"""How long a series remembers, and how many independent values it is worth."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.analysis.statistics import consecutive_clusters, integrated_time
from openmm_neuralmd.errors import InputError


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


def effective_samples(series: ArrayLike) -> float:
    """How many independent values tell as much as this series (S,) or (S, K): S / 2τ."""
    return len(np.asarray(series)) / (2.0 * max(memory(series), 0.5))


def memory_clusters(segments: Iterable[ArrayLike]) -> NDArray[np.int64]:
    """Labels for a bootstrap: blocks four autocorrelation times long, inside each segment.

    Parameters
    ----------
    segments : iterable of array (S,)
        Series; where one is too short for four such blocks it is cut into four.
    """
    series = [np.asarray(segment, dtype=np.float64) for segment in segments]
    longest = max(memory(segment) if np.ptp(segment) else 0.5 for segment in series)
    shortest = min(len(segment) for segment in series)
    length = max(1, min(round(4 * longest), shortest // 4))
    return consecutive_clusters([len(segment) for segment in series], length)
