"""Rollouts of NeuralMD-OU: from no history to a long one."""

from __future__ import annotations

import numpy as np
import pytest

from one_structure_cases import covariance_matrix
from openmm_neuralmd.dynamics.ou_prediction import Prediction, predict_complex
from openmm_neuralmd.dynamics.ou_process import OUProcess, stationary
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.prediction.pose import posed, read_protein
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.structure.complex import Complex


@pytest.fixture(scope="module")
def mcl1() -> Complex:
    protein, ligand = predict_example()
    return posed(read_protein(protein), read_ligand(ligand), "mcl1")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("neuralmd-ou")


@pytest.fixture(scope="module")
def prediction(model: Model, mcl1: Complex) -> Prediction:
    return predict_complex(model.dynamics, mcl1)


def test_nothing_has_to_be_known(model: Model, mcl1: Complex, prediction: Prediction) -> None:
    """The replicas are the predicted ensemble, at any interval."""
    coarse = model.at_interval(50.0)
    x = rollout(coarse, mcl1, None, 4, replicas=300, seed=2)
    assert x.shape == (300, 4, len(mcl1.heavy), 3)
    empty = rollout(coarse, mcl1, np.zeros((0, len(mcl1.heavy), 3)), 4, replicas=300, seed=2)
    np.testing.assert_array_equal(x, empty)
    theirs = prediction.snapshots(3000, seed=7)
    own, other = (np.subtract(*np.quantile(y, (0.75, 0.25), axis=0)) for y in (x[:, -1], theirs))
    assert 0.85 < np.median(own / other) < 1.18  # quartiles: the scale has a heavy tail
    single = rollout(coarse, mcl1, None, 4, seed=2)
    assert single.shape == (4, len(mcl1.heavy), 3)
    assert np.abs(single - rollout(coarse, mcl1, None, 4, seed=3)).max() > 0.1


def test_a_known_stretch_is_continued(model: Model, mcl1: Complex, prediction: Prediction) -> None:
    """One picosecond ahead it is nearer to the present than from the structure alone."""
    fine = model.at_interval(1.0)
    known = prediction.trajectories(np.arange(8.0), seed=4)[0]
    ahead = rollout(fine, mcl1, known, 1, replicas=60)[:, 0]
    alone = rollout(fine, mcl1, None, 1, replicas=60)[:, 0]
    away = [np.sqrt(((x - known[-1]) ** 2).sum(-1).mean(-1)).mean() for x in (ahead, alone)]
    assert away[0] < 0.7 * away[1]
    histories = np.stack((known[:4], known[4:]))
    both = rollout(fine, mcl1, histories, 2, seed=1)
    assert both.shape == (2, 2, len(mcl1.heavy), 3)
    np.testing.assert_array_equal(both[0], rollout(fine, mcl1, known[:4], 2, seed=1))


def test_other_models_still_need_a_snapshot(mcl1: Complex) -> None:
    with pytest.raises(InputError, match="T >= 1"):
        rollout(load_model("pocket"), mcl1, None, 1)


def synthetic() -> OUProcess:
    """Modes between stiff and soft, with fast and slow components."""
    random = np.random.default_rng(0)
    a = random.normal(size=(12, 12))
    weights = random.dirichlet((1.0, 1.0, 1.0), size=12)
    return stationary(np.zeros((4, 3)), a @ a.T + 0.3 * np.eye(12), (1.0, 20.0, 1e4), weights)


@pytest.mark.parametrize("count", [1, 3, 10, 30])
def test_conditioning_is_never_worse_than_the_recent_mean(count: int) -> None:
    """On its own process, whatever stretch of the past the mean is over, and at any horizon."""
    process, horizons = synthetic(), np.array([1.0, 5.0, 50.0])
    times = np.concatenate((np.arange(count), count - 1 + horizons))
    paths = process.draw(times, 400, np.random.default_rng(count))
    known, truth = paths[:, :count].reshape(400, count, 4, 3), paths[:, count:]
    forecast = [process.given(one, 1.0).forecast(horizons).reshape(3, 12) for one in known]
    own = ((np.array(forecast) - truth) ** 2).mean(-1)
    for window in {1, min(3, count), min(10, count), count}:
        recent = paths[:, count - window : count].mean(axis=1, keepdims=True)
        gain = ((recent - truth) ** 2).mean(-1) - own
        assert (gain.mean(0) + 2 * gain.std(0) / 20 > 0).all()
        assert gain.mean() > 0


def test_one_known_number_in_closed_form() -> None:
    """One dimension, two components: mean and variance ahead by hand."""
    tau, w, variance = np.array([2.0, 50.0]), np.array([0.3, 0.7]), 0.5
    process = stationary(np.zeros((1, 3)), np.eye(3) / variance, tau, np.tile(w, (3, 1)))
    for horizon in (0.0, 1.0, 30.0):
        correlation = (w * np.exp(-horizon / tau)).sum()
        ahead = process.given(np.full((1, 1, 3), 0.8), 1.0).after(horizon)
        np.testing.assert_allclose(ahead.mean(), 0.8 * correlation, atol=1e-6)
        spread = variance * (1 - correlation**2)
        np.testing.assert_allclose(np.diag(covariance_matrix(ahead)), spread, atol=1e-6)
