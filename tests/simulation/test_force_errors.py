"""Errors of forces worked out by hand, and fields whose parameters are found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from force_baselines import force_baselines, linear_force, mean_force
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.model import load_model
from openmm_neuralmd.training.energy import force_errors, force_scores
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.training.labels import Labels

RIGID = Path(__file__).parents[2] / "validation" / "reference_sets" / "rigid"
TAF12 = RIGID / "taf12"
RANDOM = np.random.default_rng(0)


def test_errors_worked_out_by_hand() -> None:
    truth = np.array([[[3.0, 0, 0], [0, 2.0, 0]], [[1.0, 0, 0], [0, 0, 1.0]]])
    ours = np.array([[[0, 3.0, 0], [0, 4.0, 0]], [[-1.0, 0, 0], [0, 0, 0]]])
    found = force_errors(truth, [10.0, 14.0], ours, [0.0, 1.0])
    np.testing.assert_allclose(found["mae"], [8 / 6, 3 / 6])
    np.testing.assert_allclose(found["square"], [22 / 6, 5 / 6])
    np.testing.assert_allclose(found["cosine"], [0.5, -0.5])  # a zero force has no direction
    np.testing.assert_allclose(found["energy"], [1.5, 1.5])
    with pytest.raises(InputError, match="cannot be compared"):
        force_errors(truth, [0.0, 0.0], ours[:1], [0.0])


@pytest.fixture(scope="module")
def labels() -> Labels:
    """All-atom forces on TAF1(2)'s ligand, 46 atoms."""
    return LabelledRun.open(TAF12).labels


def field_labels(labels: Labels, count: int, noise: float) -> tuple[Labels, np.ndarray, np.ndarray]:
    """Labels of a quadratic energy of 46 atoms, its mean force and its curvature per Å²."""
    size = 3 * labels.x.shape[1]
    matrix = RANDOM.normal(size=(size, size))
    curvature = matrix @ matrix.T
    pull = RANDOM.normal(size=size)
    x = labels.x.mean(0) + RANDOM.normal(size=(count, *labels.x.shape[1:]))
    step = (x - labels.x.mean(0)).reshape(count, -1)
    energies = 0.5 * np.einsum("si,ij,sj->s", step, curvature, step) - step @ pull
    forces = 10.0 * (pull - step @ curvature) + noise * RANDOM.normal(size=(count, size))
    made = replace(labels, x=x, forces=forces.reshape(x.shape), energies=energies)
    return made, pull, curvature


def test_a_linear_force_is_found_again(labels: Labels) -> None:
    made, *_ = field_labels(labels, 1500, noise=1.0)
    field = linear_force(made[slice(0, 1200)])
    test = made[slice(1200, 1500)]
    forces, energies = field(test.x)
    # the ridge of a hundredth biases the slope by about as much
    assert np.abs(forces - test.forces).mean() < 0.02 * test.forces.std()
    gap = energies - test.energies
    assert gap.std() < 0.02 * test.energies.std()
    constant, _ = mean_force(made[slice(0, 1200)])(test.x)
    assert np.ptp(constant, axis=0).max() == 0.0
    np.testing.assert_allclose(constant[0], made.forces[:1200].mean(0))


@pytest.mark.parametrize("fit", [mean_force, linear_force])
def test_a_baselines_force_is_the_slope_of_its_energy(labels: Labels, fit) -> None:
    field = fit(labels[slice(0, 100)])
    x = labels.x[120:121]
    forces, _ = field(x)
    for atom, axis in ((0, 0), (7, 1), (45, 2)):
        ends = []
        for h in (1e-4, -1e-4):
            moved = x.copy()
            moved[0, atom, axis] += h
            ends.append(field(moved)[1][0])
        slope = -10.0 * (ends[0] - ends[1]) / 2e-4  # kJ/mol/Å to kJ/mol/nm
        assert slope == pytest.approx(forces[0, atom, axis], rel=1e-5, abs=1e-6)


def test_baselines_of_real_labels(labels: Labels) -> None:
    training, test = labels[slice(0, 800)], labels[slice(800, 1000)]
    found = force_baselines(training, test)
    mae = {name: np.abs(forces - test.forces).mean() for name, (forces, _) in found.items()}
    assert list(mae) == [
        "mean force",
        "bonded terms",
        "bonded terms, mean rest",
        "bonded terms, linear rest",
    ]
    # bonded terms are most of the force (docs/energy.md)
    assert mae["bonded terms"] < 0.3 * mae["mean force"]
    assert mae["bonded terms, mean rest"] < mae["bonded terms"]
    x = torch.tensor(test.x[:3], requires_grad=True)
    energy = labels.terms(x)
    (slope,) = torch.autograd.grad(energy.sum(), x)
    forces, energies = found["bonded terms"]
    np.testing.assert_allclose(forces[:3], -10 * slope.numpy(), atol=1e-6)
    np.testing.assert_allclose(energies[:3], energy.detach().numpy(), atol=1e-6)
    # fitted to the training part alone
    poisoned = labels.forces.copy()
    poisoned[800:] = 1e6
    other = replace(labels, forces=poisoned)
    again = force_baselines(other[slice(0, 800)], test)
    for name, (own, _) in again.items():
        np.testing.assert_array_equal(own, found[name][0])


def test_the_bundled_energy_is_better_than_what_is_fitted_without_a_network() -> None:
    """At the last fifth of its labels, which its training did not read."""
    labels = LabelledRun.open(RIGID / "tyk2").labels
    training, test = labels[slice(0, 800)], labels[slice(800, 1000)]
    learned = force_scores(load_model("tyk2-energy"), test)
    fitted = force_baselines(training, test)
    for forces, energies in fitted.values():
        errors = force_errors(test.forces, test.energies, forces, energies)
        assert learned.mae < errors["mae"].mean()
        assert learned.energy_mae < errors["energy"].mean()
        assert learned.cosine > errors["cosine"].mean()
