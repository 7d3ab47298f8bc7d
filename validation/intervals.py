"""Intervals of differences between two methods, and independent values in a series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openmm_neuralmd.analysis.memory import memory
from openmm_neuralmd.analysis.statistics import (
    Interval,
    bootstrap_mean,
    consecutive_clusters,
    resampled_means,
)
from openmm_neuralmd.errors import InputError


def effective_samples(series: ArrayLike) -> float:
    """Number of independent values that equal this series (S,) or (S, K): S / 2τ."""
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


def mean_difference(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    clusters: ArrayLike,
    baseline_clusters: ArrayLike,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """95 % interval of the mean of `values` less that of `baseline`, which are independent.

    Parameters
    ----------
    values, baseline : array (N,), (M,)
    clusters, baseline_clusters : array (N,), (M,)
        See `bootstrap_mean`.
    """
    generator = np.random.default_rng(seed)
    gaps = resampled_means(values, clusters, resamples, generator) - resampled_means(
        baseline, baseline_clusters, resamples, generator
    )
    mean = float(np.mean(values) - np.mean(baseline))
    low, high = np.percentile(gaps, [2.5, 97.5])
    return Interval(mean, float(low), float(high))


def paired_difference(
    values: ArrayLike,
    baseline: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Interval of the mean of `values` − `baseline` over the same origins.

    What all origins share cancels, so this can tell two methods apart whose own intervals
    overlap.  Parameters are those of `bootstrap_mean`.
    """
    a, b = np.asarray(values, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    if a.shape != b.shape:
        raise InputError(f"A paired difference needs equal origins; got {a.shape} and {b.shape}.")
    return bootstrap_mean(
        a - b, clusters=clusters, confidence=confidence, resamples=resamples, seed=seed
    )
