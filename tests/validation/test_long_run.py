"""The measure of long runs sees memory that grows and a run that slows down."""

from __future__ import annotations

import numpy as np

from robustness.long_run import verdict

N = 1000
STEADY = np.full(N, 500.0)
CLOCK = np.arange(1, N + 1) * 0.1


def test_a_steady_run_holds() -> None:
    warm_up = STEADY + 300 * np.exp(-np.arange(N) / 20)
    assert verdict(warm_up, CLOCK)["holds"]


def test_a_leak_is_seen() -> None:
    result = verdict(STEADY + 0.05 * np.arange(N), CLOCK)
    assert result["growth"] > 0.05 and not result["holds"]


def test_slowing_is_seen() -> None:
    result = verdict(STEADY, CLOCK * (1 + np.arange(N) / N))
    assert result["slowing"] > 0.2 and not result["holds"]
