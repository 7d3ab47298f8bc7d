"""The naive baselines: exact where they can be, blind to the future, and on real data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from openmm_neuralmd.analysis.geometry import bond_angle_validity
from openmm_neuralmd.analysis.metrics import matching, rmse, stability
from openmm_neuralmd.dynamics.naive import (
    AR1,
    NAIVE,
    WINDOWS,
    MeanStructure,
    NaiveBaseline,
    Persistence,
    ProjectedRecentMean,
    RecentMean,
    best_window,
)
from openmm_neuralmd.dynamics.projection import reference_lengths
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.pairs import bonded_pairs

# A real five-ring with a tail, roughly: what matters is that bonds and angles have lengths.
SHAPE = torch.tensor(
    [[0, 0, 0], [1.4, 0, 0], [1.9, 1.3, 0], [0.7, 2.2, 0.1], [-0.5, 1.3, 0], [3.3, 1.7, 0.4]],
    dtype=torch.float64,
)
BONDS = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4], [0, 4], [2, 5]])


def ar1_trajectory(phi: Tensor, sigma: Tensor, length: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(length, len(phi), 3, generator=generator, dtype=torch.float64)
    deviation = [noise[0] * (sigma / (1 - phi**2).sqrt())[:, None]]
    for step in noise[1:]:
        deviation.append(phi[:, None] * deviation[-1] + sigma[:, None] * step)
    return SHAPE[: len(phi)] + torch.stack(deviation)


def trajectory(length: int = 40, seed: int = 0) -> Tensor:
    return ar1_trajectory(
        torch.full((6,), 0.8).double(), torch.full((6,), 0.1).double(), length, seed
    )


def fitted(name: str, segments: list[Tensor], horizon: int = 5) -> NaiveBaseline:
    return NAIVE[name].fit(segments, bonds=BONDS, horizon=horizon)


def test_registry() -> None:
    assert {name: kind.__name__ for name, kind in NAIVE.items()} == {
        "persistence": "Persistence",
        "mean": "MeanStructure",
        "recent-mean": "RecentMean",
        "projected-recent-mean": "ProjectedRecentMean",
        "ar1": "AR1",
    }


def test_by_hand() -> None:
    known = torch.arange(5.0).view(5, 1, 1).expand(5, 2, 3)
    for forecaster, value in [
        (Persistence(), 4.0),
        (MeanStructure(), 2.0),
        (RecentMean(3), 3.0),
        (RecentMean(50), 2.0),
    ]:
        assert torch.equal(forecaster.forecast(known, 4), torch.full((4, 2, 3), value))
    relaxing = AR1(torch.tensor([0.5, 1.0]), torch.zeros(2)).forecast(known, 3)
    assert relaxing[:, 0, 0].tolist() == [3.0, 2.5, 2.25]
    assert relaxing[:, 1, 0].tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_contract(name: str, dtype: torch.dtype) -> None:
    forecaster = fitted(name, [trajectory()])
    known = trajectory(12, seed=4).to(dtype)
    before = known.clone()
    for snapshots in (0, 1, 7):
        forecast = forecaster.forecast(known, snapshots)
        assert forecast.shape == (snapshots, 6, 3)
        assert forecast.dtype == dtype
    forecast.zero_()  # a forecast is its own memory
    assert torch.equal(known, before)
    assert forecaster.forecast(known[-1:], 3).shape == (3, 6, 3)
    longer = forecaster.forecast(known, 9)
    torch.testing.assert_close(forecaster.forecast(known, 4), longer[:4])


@pytest.mark.parametrize("name", NAIVE)
def test_what_stands_still_goes_on_standing(name: str) -> None:
    still = SHAPE.expand(30, 6, 3)
    forecast = fitted(name, [still]).forecast(still[:10], 6)
    torch.testing.assert_close(forecast, SHAPE.expand(6, 6, 3), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAIVE)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_equivariance(name: str, seed: int) -> None:
    """Fit and forecast on a turned and shifted complex give the turned and shifted forecast."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))[0]
    move = lambda x: x @ turn.T + torch.tensor([30.0, -10.0, 5.0]).double()  # noqa: E731
    training, known = trajectory(60, seed), trajectory(15, seed + 1)
    here = fitted(name, [training]).forecast(known, 6)
    there = fitted(name, [move(training)]).forecast(move(known), 6)
    torch.testing.assert_close(there, move(here), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NAIVE)
def test_no_forecast_reads_the_future(name: str) -> None:
    """Views of one array: rewriting every later snapshot changes neither fit nor forecast."""
    whole = trajectory(60, seed=1)
    before = fitted(name, [whole[:20], whole[20:40]]).forecast(whole[20:40], 8).clone()
    whole[40:] = 1e6 * torch.randn(20, 6, 3, dtype=torch.float64)
    after = fitted(name, [whole[:20], whole[20:40]]).forecast(whole[20:40], 8)
    assert torch.equal(before, after)


def test_choice_of_window_is_that_of_plain_loops() -> None:
    segments = [trajectory(45, 3), trajectory(8, 4), trajectory(70, 5)]
    horizon, errors = 12, {}
    for w in WINDOWS:
        found = []
        for segment in segments:
            for origin in range(1, len(segment) - horizon + 1):
                mean = segment[max(0, origin - w) : origin].mean(0).numpy()
                future = segment[origin : origin + horizon].numpy()
                found.append(rmse(future, np.repeat(mean[None], horizon, axis=0)))
        errors[w] = np.mean(found)
    assert best_window(segments, horizon) == min(errors, key=errors.get)  # type: ignore[arg-type]
    assert RecentMean.fit(segments, bonds=BONDS, horizon=horizon).w == best_window(
        segments, horizon
    )


def test_the_window_follows_the_memory() -> None:
    noise = torch.randn(300, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    drift = SHAPE + 0.5 * torch.arange(300.0).double()[:, None, None]
    assert best_window([SHAPE + noise], 10) == 50  # no memory: the longest mean
    assert best_window([drift + 0.1 * noise], 10) == 3  # a drift: the most recent
    assert best_window([SHAPE.expand(30, 6, 3)], 10) == 3  # all equal: the shortest
    assert best_window([trajectory(4)], 100) in WINDOWS  # short: as far ahead as it goes


def test_ar1_recovers_its_parameters() -> None:
    phi = torch.tensor([0.0, 0.5, 0.9, 0.97], dtype=torch.float64)
    sigma = torch.tensor([0.1, 0.5, 0.2, 0.3], dtype=torch.float64)
    segments = [ar1_trajectory(phi, sigma, 4000, seed) for seed in (1, 2)]
    fit = AR1.fit(segments, bonds=BONDS[:0], horizon=5)
    error = ((1 - phi**2) / (3 * 8000)).sqrt()  # standard error over 24,000 transitions
    assert ((fit.phi - phi).abs() < 4 * error + 1e-3).all()  # 1e-3: finite-length bias of the mean
    torch.testing.assert_close(fit.sigma, sigma, rtol=0.03, atol=0)


def test_ar1_is_fitted_within_segments() -> None:
    """Two replicas far apart: the jump between them is no memory."""
    noise = torch.randn(2, 2000, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    fit = AR1.fit([SHAPE + noise[0], SHAPE + 50 + noise[1]], bonds=BONDS, horizon=5)
    assert fit.phi.max() < 0.05
    torch.testing.assert_close(fit.sigma, torch.ones(6).double(), rtol=0.03, atol=0)


def test_ar1_samples_have_the_fitted_statistics() -> None:
    phi = torch.full((6,), 0.7).double()
    sigma = torch.linspace(0.1, 0.6, 6).double()
    model, known = AR1(phi, sigma), SHAPE.expand(3, 6, 3)
    draw = lambda seed: model.sample(known, 20_000, torch.Generator().manual_seed(seed))  # noqa: E731
    drawn = draw(0)
    assert torch.equal(drawn, draw(0))
    assert not torch.equal(drawn, draw(1))
    spread = (drawn - SHAPE).square().mean((0, 2)).sqrt()
    torch.testing.assert_close(spread, sigma / (1 - phi**2).sqrt(), rtol=0.03, atol=0)
    refit = AR1.fit([drawn], bonds=BONDS, horizon=1)
    torch.testing.assert_close(refit.phi, phi, rtol=0, atol=0.02)


def test_mean_of_many_samples_is_the_forecast() -> None:
    known = trajectory(20)
    model = AR1(torch.full((6,), 0.8), torch.full((6,), 0.1))
    generator = torch.Generator().manual_seed(0)
    mean = torch.stack([model.sample(known, 5, generator) for _ in range(3000)]).mean(0)
    torch.testing.assert_close(mean, model.forecast(known, 5), rtol=0, atol=0.015)


def test_projection_repairs_the_recent_mean() -> None:
    """A group that turns: its mean has shrunk, the projected mean has not."""
    angles = torch.linspace(0, 3.0, 10).double()
    turning = torch.stack(
        [
            SHAPE
            @ torch.tensor([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
            .double()
            .T
            for a in angles.tolist()
        ]
    )
    pairs = torch.from_numpy(bonded_pairs(BONDS, 6))
    plain = RecentMean(10).forecast(turning, 2)
    repaired = ProjectedRecentMean(10, pairs).forecast(turning, 2)
    bonds = BONDS.numpy()
    assert bond_angle_validity(plain.numpy(), bonds, turning.numpy()) == 0.0
    assert bond_angle_validity(repaired.numpy(), bonds, turning.numpy()) == 100.0
    torch.testing.assert_close(repaired.mean(1), plain.mean(1), rtol=0, atol=1e-9)
    lengths = reference_lengths(turning, pairs)
    torch.testing.assert_close(reference_lengths(repaired, pairs), lengths, rtol=0.05, atol=0)


@pytest.mark.parametrize("name", NAIVE)
def test_bad_known(name: str) -> None:
    forecaster = fitted(name, [trajectory()])
    with pytest.raises(InputError, match=r"shape \(6, 3\): expected \(T, n, 3\)"):
        forecaster.forecast(SHAPE, 3)
    with pytest.raises(InputError, match="with T ≥ 1"):
        forecaster.forecast(SHAPE[None][:0], 3)


@pytest.mark.parametrize("name", ["recent-mean", "projected-recent-mean", "ar1"])
def test_bad_training_part(name: str) -> None:
    with pytest.raises(InputError, match="no two successive snapshots"):
        fitted(name, [SHAPE[None], SHAPE[None]])
    with pytest.raises(InputError, match="w ≥ 1"):
        RecentMean(0)


# Rolling origins on the GPCR set, 20 snapshots ahead: RMSE in Å, Stability in %, Matching in Å,
# as an independent evaluation found them.
GPCR = {
    "persistence": (Persistence(), 1.52, 82.5, 0.60),
    "mean": (MeanStructure(), 1.56, 81.0, 0.53),
    "recent-mean": (RecentMean(10), 1.38, 84.5, 0.51),
    "projected-recent-mean": (None, 1.41, 85.8, 0.55),
}


@pytest.fixture(scope="module")
def gpcr() -> tuple[Tensor, Tensor, list[range]]:
    from openmm_neuralmd.examples import example

    snapshots = example("gpcr-ergotamine")
    bonds = torch.as_tensor(snapshots.complex.site_bonds)
    return torch.as_tensor(snapshots.ligand), bonds, list(snapshots.segments)


@pytest.mark.parametrize("name", GPCR)
def test_on_real_dynamics(name: str, gpcr: tuple[Tensor, Tensor, list[range]]) -> None:
    x, bonds, segments = gpcr
    forecaster, *expected = GPCR[name]
    forecaster = forecaster or ProjectedRecentMean(
        10, torch.from_numpy(bonded_pairs(bonds, x.shape[1]))
    )
    starts = [(s, k) for s in segments for k in range(s.start + 30, s.stop - 19, 4)]
    assert len(starts) == 27
    rows, valid = [], []
    for segment, start in starts:
        seen = x[segment.start : start]
        forecast = forecaster.forecast(seen, 20).numpy()
        truth = x[start : start + 20].numpy()
        rows.append([measure(truth, forecast) for measure in (rmse, stability, matching)])
        valid.append(bond_angle_validity(forecast, bonds.numpy(), seen.numpy()))
    error, stable, matched = np.mean(rows, axis=0)
    assert error == pytest.approx(expected[0], abs=0.03)
    assert stable == pytest.approx(expected[1], abs=0.7)
    assert matched == pytest.approx(expected[2], abs=0.03)
    if name == "projected-recent-mean":
        assert np.mean(valid) == 100.0
    if name == "recent-mean":
        assert np.mean(valid) < 50.0


def test_ten_is_the_window_of_the_real_dynamics(
    gpcr: tuple[Tensor, Tensor, list[range]],
) -> None:
    x, _, segments = gpcr
    assert best_window([x[s.start : s.stop] for s in segments], 20) == 10
