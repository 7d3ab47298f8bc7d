"""RMSF in windows against closed forms and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmm_neuralmd.analysis.fluctuation import (
    displacement,
    rmsf,
    rmsf_agreement,
    rmsf_curve,
    rmsf_windows,
)
from openmm_neuralmd.errors import InputError


def test_rmsf_by_hand() -> None:
    """Atom 0 stands, atom 1 swings ±1 along x, atom 2 drifts 1 Å a snapshot along (3, 4, 0)/5."""
    t = np.arange(6.0)
    x = np.zeros((6, 3, 3))
    x[:, 1, 0] = (-1.0) ** t
    x[:, 2] = t[:, None] * np.array([0.6, 0.8, 0.0])
    windows = rmsf_windows(x, 5)
    assert windows.shape == (2, 3)
    assert windows[:, 0] == pytest.approx(0.0)
    assert windows[:, 1] == pytest.approx(math.sqrt(1 - (1 / 5) ** 2))
    assert windows[:, 2] == pytest.approx(math.sqrt(2.0))  # variance of 0 … 4
    assert rmsf_curve(x, 5) == pytest.approx(windows.mean(1))
    assert rmsf(x)[2] == pytest.approx(math.sqrt(35 / 12))  # variance of 0 … 5


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.integers(1, 4), st.data())
def test_windows_agree_with_plain_loops(
    seed: int, length: int, n: int, data: st.DataObject
) -> None:
    window = data.draw(st.integers(2, length))
    x = np.random.default_rng(seed).normal(size=(length, n, 3), scale=3.0)
    windows = rmsf_windows(x, window)
    assert windows.shape == (length - window + 1, n)
    for k in range(length - window + 1):
        for i in range(n):
            mean = [sum(x[k + t, i, c] for t in range(window)) / window for c in range(3)]
            squares = [math.dist(x[k + t, i], mean) ** 2 for t in range(window)]
            assert windows[k, i] == pytest.approx(math.sqrt(sum(squares) / window))


@given(st.integers(0, 2**32 - 1))
def test_a_rigid_motion_of_all_snapshots_changes_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(7, 3, 3))
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    moved = x @ rotation.T + generator.normal(size=3, scale=20)
    assert rmsf_windows(moved) == pytest.approx(rmsf_windows(x), rel=1e-9)


def test_white_noise_has_the_expected_fluctuation() -> None:
    x = np.random.default_rng(0).normal(size=(20_000, 2, 3), scale=0.5)
    squares = np.square(rmsf_windows(x, 5)).mean()
    assert squares == pytest.approx(3 * 0.25 * 4 / 5, rel=0.03)


def test_agreement_of_a_trajectory_with_itself_and_with_its_half() -> None:
    x = np.random.default_rng(3).normal(size=(12, 6, 3)) * np.arange(1, 7)[:, None]
    same = rmsf_agreement(x, x)
    assert same["rmsf_ratio"] == pytest.approx(1.0)
    assert same["rmsf_atom_correlation"] == pytest.approx(1.0)
    assert same["rmsf_time_correlation"] == pytest.approx(1.0)
    half = rmsf_agreement(x, 0.5 * x)
    assert half["rmsf_ratio"] == pytest.approx(0.5)
    assert half["rmsf_atom_correlation"] == pytest.approx(1.0)
    assert half["rmsf"] == pytest.approx(0.5 * half["rmsf_truth"])


def test_agreement_tells_the_atoms_from_the_times() -> None:
    generator = np.random.default_rng(0)
    size = np.arange(1.0, 9.0)[:, None]
    x, y = (size * generator.normal(size=(400, 8, 3)) for _ in range(2))
    agreement = rmsf_agreement(x, y)
    assert agreement["rmsf_atom_correlation"] > 0.99
    assert abs(agreement["rmsf_time_correlation"]) < 0.25
    assert agreement["rmsf_ratio"] == pytest.approx(1.0, abs=0.05)


def test_what_stands_still_has_no_correlation_but_a_ratio() -> None:
    x = np.random.default_rng(0).normal(size=(8, 3, 3))
    still = rmsf_agreement(x, np.repeat(x[:1], 8, axis=0))
    assert still["rmsf_ratio"] == pytest.approx(0.0, abs=1e-12)
    assert math.isnan(still["rmsf_atom_correlation"])
    assert math.isnan(still["rmsf_time_correlation"])
    assert math.isnan(rmsf_agreement(np.repeat(x[:1], 8, axis=0), x)["rmsf_atom_correlation"])


def test_displacement_by_hand() -> None:
    start = np.array([[0, 0, 0], [1, 0, 0]], dtype=float)
    steps = np.array([[[0, 0, 0]] * 2, [[0, 0, 2]] * 2, [[3, 0, 0], [0, 4, 0]]], dtype=float)
    assert displacement(start + steps, start) == pytest.approx([0.0, 2.0, math.sqrt(12.5)])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: rmsf_windows(np.zeros((4, 2, 3)), 5), "windows of 2 to 4 of the 4 snapshots"),
        (lambda: rmsf_windows(np.zeros((4, 2, 3)), 1), "not 1"),
        (lambda: rmsf_agreement(np.zeros((6, 2, 3)), np.zeros((5, 2, 3))), "the same atoms"),
        (lambda: displacement(np.zeros((4, 2, 3)), np.zeros((3, 3))), "start has 3 atoms"),
        (lambda: rmsf(np.full((4, 2, 3), np.nan)), "not finite at snapshot 0, atom 0"),
    ],
)
def test_fluctuation_says_what_is_wrong(call: object, says: str) -> None:
    with pytest.raises(InputError) as error:
        call()  # type: ignore[operator]
    assert says in str(error.value)
