"""Scores of many origins as means with intervals, and as paired differences of methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coordinates import Array
from .statistics import bootstrap_mean

FEW = 8
"""Clusters below which a bootstrap's intervals are too narrow."""

Scores = dict[str, list[dict[str, float]]]
"""For each method its metrics at every origin, in order."""


def summary(
    scores: Scores, clusters: NDArray[Any] | None = None
) -> dict[str, dict[str, list[float]]]:
    """Average each metric of each method over origins, with a 95 % interval.

    Returns
    -------
    dict
        ``{method: {metric: [mean, low, high]}}``, or ``[mean]`` for a single origin.  Metrics that
        are undefined somewhere (the correlation of a ligand that stands still) are left out.
    """
    result: dict[str, dict[str, list[float]]] = {}
    for name, rows in scores.items():
        columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
        result[name] = {
            key: mean_interval(values, clusters)
            for key, values in columns.items()
            if np.isfinite(values).all()
        }
    return result


def mean_interval(values: Array, clusters: NDArray[Any] | None) -> list[float]:
    """[mean, low, high]; the mean alone where a single cluster leaves nothing to draw from."""
    if len(values if clusters is None else np.unique(clusters)) < 2:
        return [float(values.mean())]
    return list(bootstrap_mean(values, clusters=clusters))


def differences(
    scores: Scores, method: str, metrics: Sequence[str], clusters: NDArray[Any] | None = None
) -> dict[str, dict[str, list[float]]]:
    """Paired difference of one method to each other one: ``{other: {metric: [mean, low, high]}}``.

    Negative is better for errors, positive for stability.
    """
    result: dict[str, dict[str, list[float]]] = {}
    for other, rows in scores.items():
        if other == method:
            continue
        pairs = list(zip(scores[method], rows, strict=True))
        gaps = {key: np.array([own[key] - row[key] for own, row in pairs]) for key in metrics}
        result[other] = {key: mean_interval(gap, clusters) for key, gap in gaps.items()}
    return result


def average(runs: Sequence[Scores], method: str) -> Scores:
    """Scores of one method averaged over runs (seeds), origin by origin."""
    columns = zip(*(run[method] for run in runs), strict=True)
    return {
        method: [
            {key: float(np.mean([row[key] for row in rows])) for key in rows[0]} for rows in columns
        ]
    }
