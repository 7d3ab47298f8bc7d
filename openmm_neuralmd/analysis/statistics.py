"""Confidence intervals of means, and autocorrelation times of trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from .coordinates import Array, checked


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int | np.random.Generator = 0,
) -> Interval:
    """Percentile bootstrap interval of a mean.

    Neighbouring origins of one trajectory share most of their snapshots: draw them together by
    giving them one cluster (see `consecutive_clusters`), or the interval is too narrow.

    Parameters
    ----------
    values : array (N,)
        One figure for each origin, complex or seed.
    clusters : array (N,), optional
        Labels; values with one label are drawn together.  Each by itself without.
    confidence : float
        0.95 for a 95 % interval.
    resamples : int
        Bootstrap samples.
    seed : int or numpy.random.Generator
        Source of the draws.

    Raises
    ------
    InputError
        If there are no values, one is not finite, or there are fewer than two clusters.
    """
    if not 0.0 < confidence < 1.0:
        raise InputError(f"Confidence is a share between 0 and 1, not {confidence}.")
    means = resampled_means(values, clusters, resamples, np.random.default_rng(seed))
    low, high = np.percentile(means, _tails(confidence))
    return Interval(_mean(values), float(low), float(high))


def _mean(values: ArrayLike) -> float:
    return float(np.asarray(values, dtype=np.float64).mean())


def _tails(confidence: float) -> list[float]:
    tail = 50.0 * (1.0 - confidence)
    return [tail, 100.0 - tail]


def resampled_means(
    values: ArrayLike, clusters: ArrayLike | None, resamples: int, generator: np.random.Generator
) -> Array:
    """Means (resamples,) of values whose clusters are drawn with replacement."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise InputError(f"A mean needs a list of finite values; got shape {array.shape}.")
    labels = np.arange(array.size) if clusters is None else np.asarray(clusters)
    if labels.shape != array.shape:
        raise InputError(f"{array.size} values have {labels.size} cluster labels: one for each.")
    _, member = np.unique(labels, return_inverse=True)
    sums, counts = np.bincount(member, weights=array), np.bincount(member)
    if len(sums) < 2:
        raise InputError("A bootstrap needs at least two clusters to draw from.")
    drawn = generator.multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), size=resamples)
    means: Array = (drawn @ sums) / (drawn @ counts)
    return means


def consecutive_clusters(segments: Iterable[int], length: int) -> NDArray[np.int64]:
    """Labels that put runs of `length` successive values of a segment into one cluster.

    Parameters
    ----------
    segments : iterable of int
        How many values each segment has, in order; no cluster crosses from one to the next.
    length : int
        Values in a cluster; the last of a segment may be shorter.
    """
    if length < 1:
        raise InputError(f"A cluster of {length} values is empty: choose length ≥ 1.")
    labels: list[int] = []
    for size in segments:
        start = labels[-1] + 1 if labels else 0
        labels.extend(start + k // length for k in range(size))
    return np.array(labels, dtype=np.int64)


def autocorrelation(x: ArrayLike, lag: int, segments: Sequence[range] | None = None) -> float:
    """Autocorrelation of the coordinates at a lag, averaged over all that vary.

    Each coordinate is taken about its mean over all snapshots; pairs of snapshots that a replica
    break separates do not count.  A trajectory that is short for its memory is biased towards
    less correlation.

    Parameters
    ----------
    x : array (T, n, 3)
        Snapshots, Å.
    lag : int
        Snapshots between the two of a pair, ≥ 0.
    segments : sequence of range, optional
        Stretches without a break; one without.
    """
    array = checked(x)
    stretches = [range(len(array))] if segments is None else list(segments)
    starts = np.array([t for s in stretches for t in range(s.start, s.stop - lag)], dtype=np.int64)
    if lag < 0 or starts.size == 0:
        raise InputError(f"No segment holds two snapshots {lag} apart.")
    used = np.concatenate([array[s.start : s.stop] for s in stretches])
    mean, variance = used.mean(0), used.var(0)
    varies = variance > 1e-12 * np.square(used).mean(0).clip(min=1e-300)
    if not varies.any():
        raise InputError("The snapshots are all the same: their autocorrelation is undefined.")
    covariance = ((array[starts] - mean) * (array[starts + lag] - mean)).mean(0)
    return float((covariance[varies] / variance[varies]).mean())


def integrated_time(correlations: Array) -> float:
    """Integrated autocorrelation time in lags, ½ + Σ ρ_k up to the first ρ_k ≤ 0.

    Parameters
    ----------
    correlations : array (K,)
        ρ_1, ρ_2, …
    """
    rho = np.asarray(correlations, dtype=np.float64)
    ends = np.flatnonzero(rho <= 0)
    return float(0.5 + rho[: ends[0] if ends.size else len(rho)].sum())
