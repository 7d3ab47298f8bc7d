"""Intervals that cover what they say, and memory measured on processes whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmm_neuralmd.analysis.statistics import (
    autocorrelation,
    bootstrap_mean,
    consecutive_clusters,
    integrated_time,
)
from openmm_neuralmd.errors import InputError


def ar1_process(phi: float, length: int, n: int, seed: int) -> np.ndarray:
    """A stationary AR(1) process in every coordinate, unit variance, (length, n, 3)."""
    generator = np.random.default_rng(seed)
    x = np.empty((length, n, 3))
    x[0] = generator.normal(size=(n, 3))
    for t in range(1, length):
        x[t] = phi * x[t - 1] + np.sqrt(1 - phi**2) * generator.normal(size=(n, 3))
    return x


def coverage(draw: object, trials: int = 300, **options: object) -> float:
    """Share of 90 % intervals that hold the true mean, which is 0."""
    hits = 0
    for trial in range(trials):
        interval = bootstrap_mean(
            draw(np.random.default_rng(trial)),  # type: ignore[operator]
            confidence=0.9,
            resamples=500,
            seed=trial,
            **options,  # type: ignore[arg-type]
        )
        hits += interval.low <= 0.0 <= interval.high
    return hits / trials


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    # 300 trials: standard error 1.7 %; the percentile bootstrap of 40 values is a little narrow
    assert coverage(lambda g: g.normal(size=40)) == pytest.approx(0.89, abs=0.055)


def test_clusters_repair_an_interval_that_neighbours_make_too_narrow() -> None:
    labels = np.repeat(np.arange(30), 4)
    draw = lambda g: np.repeat(g.normal(size=30), 4)  # noqa: E731  (four equal neighbours)
    assert coverage(draw) < 0.7
    assert coverage(draw, clusters=labels) > 0.83


def test_interval_has_the_width_of_the_standard_error() -> None:
    values = np.random.default_rng(1).normal(loc=3.0, size=400)
    mean, low, high = bootstrap_mean(values, seed=5)
    assert mean == pytest.approx(values.mean())
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
    assert bootstrap_mean(values, seed=5) == (mean, low, high)
    assert bootstrap_mean(values, seed=np.random.default_rng(5)) == (mean, low, high)
    assert bootstrap_mean(values, seed=6) != (mean, low, high)


def test_clusters_of_unequal_size_keep_the_weight_of_their_values() -> None:
    mean, low, high = bootstrap_mean([0.0, 1.0, 1.0, 1.0], clusters=["a", "b", "b", "b"])
    assert (mean, low, high) == (0.75, 0.0, 1.0)


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 5))
def test_clusters_are_short_and_cross_no_segment(sizes: list[int], length: int) -> None:
    labels = consecutive_clusters(sizes, length)
    segment = np.repeat(np.arange(len(sizes)), sizes)
    assert len(labels) == sum(sizes)
    for label in np.unique(labels):
        held = np.flatnonzero(labels == label)
        assert len(held) <= length
        assert len(set(segment[held])) == 1
    assert (np.diff(labels) >= 0).all()


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("lag", [1, 3])
def test_autocorrelation_of_a_known_process(phi: float, lag: int) -> None:
    x = ar1_process(phi, 4000, 8, seed=3)
    # 24 coordinates; standard error of one below sqrt((1 + φ²)/(1 − φ²)/T) ≈ 0.05 at φ = 0.9
    assert autocorrelation(x, lag) == pytest.approx(phi**lag, abs=4 * 0.05 / 24**0.5)
    assert autocorrelation(x, 0) == pytest.approx(1.0)


def test_autocorrelation_respects_breaks() -> None:
    """A trajectory cut into pairs: only the pairs inside a stretch count."""
    generator = np.random.default_rng(0)
    first = generator.normal(size=(500, 4, 3))
    x = np.stack([first, -first], axis=1).reshape(1000, 4, 3)  # a, −a, b, −b, …
    pairs = [range(k, k + 2) for k in range(0, 1000, 2)]
    assert autocorrelation(x, 1, pairs) == pytest.approx(-1.0)
    assert autocorrelation(x, 1) == pytest.approx(-0.5, abs=0.05)
    with pytest.raises(InputError, match="No segment holds two snapshots 2 apart"):
        autocorrelation(x, 2, pairs)


def test_autocorrelation_leaves_out_what_does_not_move() -> None:
    x = ar1_process(0.7, 500, 2, seed=0)
    held = np.concatenate([x, np.full((500, 3, 3), 1234.5)], axis=1)
    assert autocorrelation(held, 1) == autocorrelation(x, 1)
    with pytest.raises(InputError, match="all the same"):
        autocorrelation(held[:, 2:], 1)


def test_autocorrelation_ignores_units_and_origin() -> None:
    x = ar1_process(0.6, 300, 3, seed=2)
    assert autocorrelation(0.1 * x + 7.0, 2) == pytest.approx(autocorrelation(x, 2))


def test_integrated_time_of_an_exponential() -> None:
    phi = 0.8
    assert integrated_time(phi ** np.arange(1, 200)) == pytest.approx((1 + phi) / (1 - phi) / 2)
    assert integrated_time(np.array([0.5, -0.1, 0.9])) == 1.0


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bootstrap_mean([]), "a list of finite values"),
        (lambda: bootstrap_mean([1.0, np.nan]), "a list of finite values"),
        (lambda: bootstrap_mean([1.0, 2.0], clusters=[0, 0]), "at least two clusters"),
        (lambda: bootstrap_mean([1.0, 2.0], clusters=[0]), "one for each"),
        (lambda: bootstrap_mean([1.0, 2.0], confidence=95), "between 0 and 1"),
        (lambda: consecutive_clusters([3], 0), "length ≥ 1"),
        (lambda: autocorrelation(np.zeros((5, 2, 3)), -1), "No segment"),
    ],
)
def test_statistics_say_what_is_wrong(call: object, says: str) -> None:
    with pytest.raises(InputError) as error:
        call()  # type: ignore[operator]
    assert says in str(error.value)
