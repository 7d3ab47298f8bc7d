"""The Ornstein–Uhlenbeck process against closed forms and brute force."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, multivariate_t

from one_structure_cases import covariance_matrix
from openmm_neuralmd.dynamics.ou_process import stationary

TIMES = np.array([2.0, 30.0])


@pytest.fixture(scope="module")
def process():
    random = np.random.default_rng(0)
    a = random.normal(size=(6, 6))
    stiffness = a @ a.T + np.eye(6)
    weights = random.uniform(0.2, 0.8, size=6)
    return stationary(
        random.normal(size=(2, 3)), stiffness, TIMES, np.stack((weights, 1 - weights), 1)
    )


def covariance_at(process, lag):
    """Closed form of the autocovariance (6, 6) at a lag in ps."""
    variance = (process.variances() * np.exp(-abs(lag) / TIMES)).sum(1)
    return (process.modes * variance) @ process.modes.T


def test_stationary_covariance_and_autocorrelation(process):
    times = np.array([0.0, 0.7, 5.0, 40.0])  # uneven on purpose: exact at any interval
    x = process.draw(times, 60_000, np.random.default_rng(1))
    for row, time in enumerate(times):
        sample = x[:, 0].T @ x[:, row] / len(x)
        np.testing.assert_allclose(sample, covariance_at(process, time), atol=0.02)
    np.testing.assert_allclose(covariance_matrix(process), covariance_at(process, 0.0))


def test_one_long_step_is_many_short_ones(process):
    known = process.given(np.zeros((1, 2, 3)), 1.0)
    long, short = known.after(12.0), known
    for _ in range(12):
        short = short.after(1.0)
    np.testing.assert_allclose(long.covariance, short.covariance, atol=1e-12)
    np.testing.assert_allclose(long.mean(), short.mean(), atol=1e-12)
    np.testing.assert_allclose(known.forecast([12.0])[0], long.mean(), atol=1e-12)


def test_conditioning_against_brute_force(process):
    """Mean and covariance at a horizon from the joint Gaussian of all snapshots."""
    interval, horizon, count = 3.0, 7.0, 5
    known = np.random.default_rng(2).normal(size=(count, 6))
    times = np.append(interval * np.arange(count), interval * (count - 1) + horizon)
    joint = np.block([[covariance_at(process, a - b) for b in times] for a in times])
    past, future = slice(0, 6 * count), slice(6 * count, None)
    gain = joint[future, past] @ np.linalg.inv(joint[past, past])
    centre = process.centre.reshape(-1)
    mean = centre + gain @ (known - centre).reshape(-1)
    spread = joint[future, future] - gain @ joint[past, future]
    ahead = process.given(known.reshape(count, 2, 3), interval).after(horizon)
    np.testing.assert_allclose(ahead.mean().reshape(-1), mean, atol=1e-6)
    np.testing.assert_allclose(covariance_matrix(ahead), spread, atol=1e-6)


def test_no_snapshot_changes_nothing_and_many_take_over(process):
    none = process.given(np.zeros((0, 2, 3)), 1.0)
    np.testing.assert_allclose(none.mean(), process.centre)
    many = process.given(np.ones((3000, 2, 3)), 10.0)
    assert np.abs(many.mean() - 1.0).max() < 1e-3


def test_the_scale_is_learned_from_what_is_known():
    """The conjugate update is that of the joint t distribution of all snapshots."""
    process = stationary(np.zeros((1, 3)), np.eye(3), [1e-6, 1e6], [[1, 0]] * 3, freedom=4.0)
    known = 3.0 * np.random.default_rng(3).normal(size=(50, 1, 3))
    after = process.given(known, 1.0)
    assert after.freedom == pytest.approx(4.0 + 150)
    assert after.scale == pytest.approx((4.0 + (known**2).sum()) / 154.0, rel=1e-6)


def test_a_draw_at_the_present_has_its_mean_and_covariance(process):
    known = process.given(np.array([[[0.3, 0, 0], [0, 0.2, 0]]]), 1.0).after(3.0)
    x = known.present(60_000, np.random.default_rng(2), typical=True)
    scale = known.typical_scale()
    np.testing.assert_allclose(
        x.mean(0) + known.centre.reshape(-1), known.mean().reshape(-1), atol=0.02
    )
    expected = covariance_matrix(known) / known.scale * scale**2
    np.testing.assert_allclose(np.cov(x.T), expected, atol=0.03 * np.diag(expected).max())


def test_likelihood(process):
    x = np.random.default_rng(4).normal(size=(7, 6))
    centre, covariance = process.centre.reshape(-1), covariance_at(process, 0.0)
    expected = multivariate_normal(centre, covariance).logpdf(x)
    np.testing.assert_allclose(process.log_likelihood(x.reshape(7, 2, 3)), expected)
    heavy = stationary(process.centre, np.linalg.inv(covariance), TIMES, freedom=5.0)
    expected = multivariate_t(centre, covariance, df=5.0).logpdf(x)
    np.testing.assert_allclose(heavy.log_likelihood(x.reshape(7, 2, 3)), expected)


def test_rmsf_of_a_window(process):
    """RMSF about the mean of a window, against trajectories."""
    window, steps = 50.0, 400
    times = np.linspace(0.0, window, steps)
    x = process.draw(times, 2000, np.random.default_rng(5)).reshape(2000, steps, 2, 3)
    sampled = np.sqrt(x.var(axis=1).sum(-1).mean(0))
    np.testing.assert_allclose(process.rmsf(window), sampled, rtol=0.05)
    total = np.sqrt(np.diag(covariance_at(process, 0.0)).reshape(2, 3).sum(-1))
    np.testing.assert_allclose(process.rmsf(), total)
