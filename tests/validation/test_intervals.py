"""Intervals and independent values of processes whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from intervals import effective_samples, mean_difference, memory_clusters, paired_difference
from openmm_neuralmd.analysis.statistics import bootstrap_mean
from openmm_neuralmd.errors import InputError


def process(phi: float, length: int, seed: int, width: int = 1) -> np.ndarray:
    """Stationary AR(1), unit variance, (length, width)."""
    noise = np.random.default_rng(seed).normal(size=(length, width))
    noise[1:] *= np.sqrt(1 - phi**2)
    x: np.ndarray = lfilter([1.0], [1.0, -phi], noise, axis=0)
    return x


@pytest.mark.parametrize("phi", [0.0, 0.8, 0.95])
def test_effective_samples_of_an_autoregressive_process(phi: float) -> None:
    x = process(phi, 40_000, 1, width=4)
    exact = (1 + phi) / (1 - phi) / 2
    assert effective_samples(x) == pytest.approx(len(x) / (2 * exact), rel=0.12)


def test_a_paired_difference_sees_through_what_both_share() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=50, scale=10.0)
    better, worse = shared, shared + 0.2 + 0.1 * generator.normal(size=50)
    difference = paired_difference(better, worse)
    assert difference.high < 0.0 < bootstrap_mean(worse).high - bootstrap_mean(better).low
    assert difference.mean == pytest.approx(-0.2, abs=0.06)


def test_a_paired_difference_needs_equal_origins() -> None:
    with pytest.raises(InputError, match="equal origins"):
        paired_difference([1.0], [1.0, 2.0])


def test_blocks_make_an_interval_of_a_remembering_series_honest() -> None:
    def covered(clustered: bool) -> float:
        hits = 0
        for seed in range(120):
            x = process(0.9, 1000, seed)[:, 0]
            labels = memory_clusters([x]) if clustered else None
            _, low, high = bootstrap_mean(x, clusters=labels, resamples=200, seed=seed)
            hits += low <= 0 <= high
        return hits / 120

    assert covered(clustered=False) < 0.6 < 0.85 < covered(clustered=True)


def test_blocks_end_with_their_segment_and_are_four_at_least() -> None:
    labels = memory_clusters([process(0.999, 40, 0)[:, 0], process(0.999, 44, 1)[:, 0]])
    assert len(set(labels[:40])) == 4 and not set(labels[:40]) & set(labels[40:])


def test_the_difference_of_independent_means_is_covered() -> None:
    hits = 0
    for seed in range(150):
        random = np.random.default_rng(seed)
        a, b = random.normal(1.0, 2.0, size=80), random.normal(0.5, 1.0, size=40)
        clusters = np.arange(80), np.arange(40)
        options = {"clusters": clusters[0], "baseline_clusters": clusters[1]}
        found = mean_difference(a, b, resamples=400, seed=seed, **options)
        assert found.mean == pytest.approx(a.mean() - b.mean())
        hits += found.low <= 0.5 <= found.high
    assert hits / 150 == pytest.approx(0.94, abs=0.055)
