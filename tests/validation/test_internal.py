"""Bonds and angles of molecules that are known, and runs that keep them or do not."""

from __future__ import annotations

import numpy as np
import openmm
import pytest

from internal import (
    angle_triples,
    bond_angles,
    bond_lengths,
    internal_divergences,
    largest_deviation,
    mean_divergence,
)
from nvt import (
    THERMOSTATS,
    NVTSettings,
    run_nvt,
    shape,
)
from openmm_neuralmd.errors import InputError, SimulationError
from openmm_neuralmd.units import BOLTZMANN

RANDOM = np.random.default_rng(0)
BONDS = np.array([[0, 1], [1, 2]])


def bent(length: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Three atoms, the first bond 1 Å long."""
    x = np.zeros((len(length), 3, 3))
    x[:, 0, 0] = 1.0
    x[:, 2, 0] = length * np.cos(np.radians(angle))
    x[:, 2, 1] = length * np.sin(np.radians(angle))
    return x


def test_lengths_and_angles_are_those_of_the_molecule() -> None:
    length, angle = np.array([1.2, 1.5, 2.0]), np.array([30.0, 109.5, 180.0])
    x = bent(length, angle)
    np.testing.assert_allclose(bond_lengths(x, BONDS), np.stack([np.ones(3), length], axis=1))
    triples = angle_triples(BONDS, 3)
    assert triples.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(bond_angles(x, triples)[:, 0], angle, atol=1e-6)
    methane = angle_triples([[0, k] for k in range(1, 5)], 5)
    assert len(methane) == 6 and set(methane[:, 1]) == {0}


def test_the_largest_deviation_is_the_worst_of_all_snapshots() -> None:
    reference = bent(RANDOM.normal(1.5, 0.03, 500), np.full(500, 100.0))
    mean = bond_lengths(reference, BONDS)[:, 1].mean()
    x = bent(np.array([1.5, 1.1, 1.6]), np.array([90.0, 100.0, 110.0]))
    assert largest_deviation(x, reference, BONDS) == pytest.approx(mean - 1.1)


def test_divergences_of_known_distributions() -> None:
    p, q = RANDOM.normal(0, 3, size=(2, 20_000, 1))
    assert mean_divergence(p, q, 1.0) < 2e-3
    assert mean_divergence(p, q + 1000.0, 1.0) == pytest.approx(1.0)
    # two of five columns are disjoint
    columns = np.repeat(p, 5, axis=1)
    moved = columns + np.array([0, 0, 0, 500.0, -500.0])
    assert mean_divergence(columns, moved, 1.0) == pytest.approx(0.4, abs=1e-9)
    with pytest.raises(InputError, match="not the same quantities"):
        mean_divergence(p, columns, 1.0)
    soft, stiff = (
        bent(RANDOM.normal(1.5, s, 4000), RANDOM.normal(100, 100 * s, 4000)) for s in (0.06, 0.03)
    )
    found = internal_divergences(stiff, soft, BONDS)
    assert found["bonds"] == pytest.approx(found["angles"] / 2, rel=0.15)  # the other bond is rigid
    assert 0.1 < found["angles"] < 0.3
    assert internal_divergences(stiff, stiff, BONDS) == {"bonds": 0.0, "angles": 0.0}


def springs(stiffness: float) -> openmm.System:
    """Three atoms in a line by two springs of 0.15 nm, and one that stands still."""
    system = openmm.System()
    for mass in (12.0, 12.0, 12.0, 0.0):
        system.addParticle(mass)
    force = openmm.HarmonicBondForce()
    for i, j in BONDS:
        force.addBond(int(i), int(j), 0.15, stiffness)
    system.addForce(force)
    return system


START = np.array([[0.0, 0, 0], [0.15, 0, 0], [0.3, 0, 0], [9.0, 9, 9]])


@pytest.mark.parametrize("thermostat", list(THERMOSTATS))
def test_a_bond_vibrates_as_much_as_its_temperature_says(thermostat: str) -> None:
    settings = NVTSettings(picoseconds=150.0, friction=10.0, platform="Reference")
    atoms = np.array([0, 1, 2])
    x = run_nvt(springs(2e5), START, atoms, thermostat, settings, seed=3)
    assert x.shape == (settings.snapshots, 3, 3)
    lengths = bond_lengths(x, BONDS)
    expected = 10 * np.sqrt(BOLTZMANN * 300.0 / 2e5)  # Å
    assert lengths.std() == pytest.approx(expected, rel=0.06)
    again = run_nvt(springs(2e5), START, atoms, thermostat, settings, seed=4)
    told, soft = (
        shape(again, x, BONDS),
        run_nvt(springs(5e4), START, atoms, thermostat, settings, seed=5),
    )
    assert told["bonds"] < 0.02 < 0.1 < shape(soft, x, BONDS)["bonds"]
    assert told["largest_bond_deviation"] < 5 * expected


def test_a_run_that_blows_up_says_when() -> None:
    system = springs(2e5)
    force = openmm.CustomExternalForce("-1e5*x^4")
    force.addParticle(0, [])
    system.addForce(force)
    settings = NVTSettings(picoseconds=5.0, platform="Reference")
    start = START + [3.0, 0, 0]
    with pytest.raises(SimulationError, match=r"blew up after|not a number after"):
        run_nvt(system, start, np.arange(3), "LangevinMiddleIntegrator", settings)
