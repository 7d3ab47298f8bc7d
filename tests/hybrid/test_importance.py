"""Importance weights: exact averages of a known energy, and a plain word where they collapse."""

from __future__ import annotations

import numpy as np
import openmm
import pytest

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.hybrid import WeightedPoses, weighted_poses
from openmm_neuralmd.units import BOLTZMANN

KT = BOLTZMANN * 300.0
CUBIC = "1500*(x^2+y^2+z^2)+8e4*x^4"
"""kJ/mol with nm: a well that is steeper in x than a Gaussian."""


def context(expression: str = CUBIC, atoms: int = 2) -> openmm.Context:
    system, well = openmm.System(), openmm.CustomExternalForce(expression)
    for _ in range(atoms):
        well.addParticle(system.addParticle(12.0), [])
    system.addForce(well)
    platform = openmm.Platform.getPlatformByName("Reference")
    made = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    made.setPositions(np.zeros((atoms, 3)))
    return made


def exact_square() -> float:
    """Mean of x² in nm²."""
    grid = np.linspace(-0.3, 0.3, 20001)
    weight = np.exp(-(1500 * grid**2 + 8e4 * grid**4) / KT)
    return float((grid**2 * weight).sum() / weight.sum())


@pytest.mark.parametrize(("stiffness", "stages"), [(2000.0, 1), (6000.0, 8), (1200.0, 8)])
def test_weighted_averages_are_those_of_the_energy(stiffness: float, stages: int) -> None:
    poses = weighted_poses(
        context(), [0, 1], np.zeros((2, 3)), stiffness * np.eye(6), 600, stages=stages, seed=2
    )
    assert not poses.collapsed
    assert poses.summary().startswith("600 draws are worth")
    squares = (poses.positions[:, :, 0] ** 2).mean(axis=1)
    mean = float(poses.weights @ squares)
    error = np.sqrt(poses.weights**2 @ (squares - mean) ** 2)
    assert abs(mean - exact_square()) < 4 * error
    assert abs(mean - KT / stiffness) > 4 * error  # what the Gaussian has by itself


def test_weights_have_the_ratio_of_the_partition_functions() -> None:
    """Two springs: the mean weight is (k/k')^(3/2) for each atom, whatever the stages."""
    for stages in (1, 4):
        poses = weighted_poses(
            context("2000*(x^2+y^2+z^2)"), [0, 1], np.zeros((2, 3)), 3000.0 * np.eye(6), 600,
            stages=stages, seed=3,
        )  # fmt: skip
        weights = np.exp(poses.log_weights)
        error = weights.std() / np.sqrt(len(weights))
        assert abs(weights.mean() - (3000.0 / 4000.0) ** 3) < 4 * error


def test_the_right_gaussian_wastes_no_draw_and_stages_mend_a_wrong_one() -> None:
    harmonic = "2000*((x-0.02)^2+y^2+z^2)"
    right = np.tile([0.02, 0.0, 0.0], (6, 1))

    def effective(mean: np.ndarray, stiffness: float, stages: int) -> WeightedPoses:
        return weighted_poses(
            context(harmonic, 6), range(6), mean, stiffness * np.eye(18), 200, stages=stages
        )

    assert effective(right, 4000.0, 1).effective == pytest.approx(200)
    wrong = effective(np.zeros((6, 3)), 2e4, 1)
    assert wrong.collapsed and "may not be used" in wrong.summary()
    assert effective(np.zeros((6, 3)), 2e4, 40).effective > 4 * wrong.effective


def test_no_energy_at_all_is_a_collapse() -> None:
    none = WeightedPoses(np.zeros((3, 1, 3)), np.full(3, -np.inf))
    assert none.collapsed and none.effective == 0.0 and not none.weights.any()
    walls = weighted_poses(
        context("1/(step(x-1e9))"), [0], np.zeros((1, 3)), np.eye(3), 2, stages=2
    )
    assert walls.effective == 0.0


def test_what_has_no_density_is_refused() -> None:
    with pytest.raises(InputError, match="2 atoms need a mean and a stiffness of 6 rows"):
        weighted_poses(context(), [0, 1], np.zeros((2, 3)), np.eye(3), 1)
    with pytest.raises(InputError, match="one draw and one stage"):
        weighted_poses(context(), [0, 1], np.zeros((2, 3)), np.eye(6), 1, stages=0)
