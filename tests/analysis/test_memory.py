"""Memory of processes whose memory is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from openmm_neuralmd.analysis.memory import (
    autocorrelations,
    memory,
)
from openmm_neuralmd.errors import InputError


def process(phi: float, length: int, seed: int, width: int = 1) -> np.ndarray:
    """Stationary AR(1), unit variance, (length, width)."""
    noise = np.random.default_rng(seed).normal(size=(length, width))
    noise[1:] *= np.sqrt(1 - phi**2)
    x: np.ndarray = lfilter([1.0], [1.0, -phi], noise, axis=0)
    return x


def test_correlations_are_those_of_the_definition() -> None:
    x = process(0.7, 200, 0)[:, 0]
    found = autocorrelations(x)
    centred = x - x.mean()
    for lag in (1, 2, 50, 100):
        direct = (centred[:-lag] * centred[lag:]).mean() / centred.var()
        assert found[lag - 1] == pytest.approx(direct, rel=1e-9)
    assert len(found) == 100


@pytest.mark.parametrize("phi", [0.0, 0.8, 0.95])
def test_memory_of_an_autoregressive_process(phi: float) -> None:
    exact = (1 + phi) / (1 - phi) / 2
    x = process(phi, 40_000, 1, width=4)
    assert memory(x) == pytest.approx(exact, rel=0.12)
    # What effective samples are for: the variance of a mean.
    means = [process(phi, 1000, seed)[:, 0].mean() for seed in range(200)]
    assert 1000 / (2 * exact) == pytest.approx(1 / np.var(means), rel=0.3)


def test_what_does_not_vary_is_left_out_or_refused() -> None:
    x = process(0.8, 500, 2)
    held = np.concatenate([x, np.full((500, 2), 7.0)], axis=1)
    assert memory(held) == memory(x)
    with pytest.raises(InputError, match="not all the same"):
        memory(np.ones(10))
