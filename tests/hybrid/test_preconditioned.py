"""HMC with a stiffness as mass matrix: exact whatever the stiffness, reversible, resumable."""

from __future__ import annotations

import pickle

import numpy as np
import openmm
import pytest
from openmm import unit
from openmmtools import cache, states
from scipy import stats

from intervals import effective_samples
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.hybrid import PreconditionedHMCMove, metric, without_constraints
from openmm_neuralmd.hybrid.preconditioned import Trajectory
from openmm_neuralmd.units import BOLTZMANN

KT = BOLTZMANN * 300.0
REFERENCE = openmm.Platform.getPlatformByName("Reference")


QUARTIC = "1000*x*x+3e5*x^4+500*y*y+1e5*z*z"
"""A soft anharmonic, a soft and a stiff direction; kJ/mol with nm."""


def spring_system() -> openmm.System:
    """Two atoms on a stiff bond of 0.1 nm."""
    system = openmm.System()
    for _ in range(2):
        system.addParticle(12.0)
    bond = openmm.HarmonicBondForce()
    bond.addBond(0, 1, 0.1, 2e5)
    system.addForce(bond)
    return system


def well_system() -> openmm.System:
    """Two independent atoms in the well above."""
    system, well = openmm.System(), openmm.CustomExternalForce(QUARTIC)
    for _ in range(2):
        well.addParticle(system.addParticle(12.0), [])
    system.addForce(well)
    return system


def sampled(move: PreconditionedHMCMove, count: int) -> np.ndarray:
    """Positions (count, 2, 3) in nm after each proposal."""
    thermodynamic = states.ThermodynamicState(well_system(), 300 * unit.kelvin)
    sampler = states.SamplerState(np.zeros((2, 3)) * unit.nanometer)
    shared = cache.ContextCache(REFERENCE)
    found = []
    for _ in range(count):
        move.apply(thermodynamic, sampler, shared)
        found.append(np.array(sampler.positions.value_in_unit(unit.nanometer)))
    return np.array(found)


RIGHT = np.diag([3000.0, 1000.0, 2e5] * 2)
WRONG = np.diag([4e4, 2e4, 1e5, 1e4, 6e4, 4e5]) + 8e3 * np.eye(6)[::-1]
"""Tens of times too stiff where the well is soft, with couplings that are not there."""


@pytest.mark.parametrize(
    ("stiffness", "steps", "timestep"),
    [(RIGHT, 6, 0.6), (WRONG, 6, 1.0), (RIGHT, 1, 1.0), (WRONG, 1, 1.4)],
    ids=["hmc-right", "hmc-wrong", "mala-right", "mala-wrong"],
)
def test_the_distribution_does_not_depend_on_the_stiffness(
    stiffness: np.ndarray, steps: int, timestep: float
) -> None:
    move = PreconditionedHMCMove(stiffness, [0, 1], n_steps=steps, timestep=timestep, seed=3)
    x = sampled(move, 6000)[500:]
    assert 0.3 < move.fraction_accepted <= 1.0
    grid = np.linspace(-0.3, 0.3, 20001)
    for axis, energy in enumerate((1000 * grid**2 + 3e5 * grid**4, 500 * grid**2, 1e5 * grid**2)):
        weight = np.exp(-energy / KT)
        cdf = np.cumsum(weight) / weight.sum()
        for atom in (0, 1):
            series = x[:, atom, axis]
            every = int(np.ceil(len(series) / effective_samples(series)))
            result = stats.kstest(series[::every], lambda r, cdf=cdf: np.interp(r, grid, cdf))
            assert result.pvalue > 0.002, (axis, atom)
    assert abs(np.corrcoef(x[:, 0, 0], x[:, 1, 2])[0, 1]) < 0.1  # as independent as they are


def test_a_proposal_is_reversible() -> None:
    context = openmm.Context(well_system(), openmm.VerletIntegrator(0.001), REFERENCE)
    context.setPositions([[0.01, 0, 0], [0.02, 0.01, 0]])
    factor = np.linalg.cholesky(RIGHT / KT)
    forward = Trajectory(context, [0, 1], factor, KT)
    start, momentum = forward.point(), np.random.default_rng(0).standard_normal(6)
    end = forward.run(start, momentum, 0.5, 10)
    assert end is not None and np.abs(end[0].x - start.x).max() > 1e-3
    back = forward.run(end[0], -end[1], 0.5, 10)
    assert back is not None
    assert np.abs(back[0].x - start.x).max() < 1e-6
    assert np.abs(back[1] + momentum).max() < 1e-6


def test_a_stored_move_continues_the_same_chain() -> None:
    move = PreconditionedHMCMove(RIGHT, [0, 1], seed=5)
    sampled(move, 10)
    copy = pickle.loads(pickle.dumps(move))
    assert copy.statistics == move.statistics
    np.testing.assert_array_equal(sampled(move, 5), sampled(copy, 5))


def test_a_proposal_into_nowhere_is_refused_and_counted() -> None:
    move = PreconditionedHMCMove(1e-6 * np.eye(6), [0, 1], timestep=1e30, seed=1)
    x = sampled(move, 3)
    assert move.statistics == {"n_proposed": 3, "n_accepted": 0, "n_failed": 3}
    assert not x.any()


def test_what_cannot_move_freely_is_refused() -> None:
    with pytest.raises(InputError, match="2 atoms need a stiffness of 6 rows"):
        PreconditionedHMCMove(np.eye(3), [0, 1])
    with pytest.raises(InputError, match="positive definite"):
        PreconditionedHMCMove(-np.eye(6), [0, 1])
    system = spring_system()
    system.addConstraint(0, 1, 0.1)
    thermodynamic = states.ThermodynamicState(system, 300 * unit.kelvin)
    sampler = states.SamplerState(np.array([[0.0, 0, 0], [0.1, 0, 0]]) * unit.nanometer)
    move = PreconditionedHMCMove(np.eye(6), [0, 1])
    with pytest.raises(InputError, match="particles 0 and 1 have a constraint"):
        move.apply(thermodynamic, sampler, cache.ContextCache(REFERENCE))
    assert without_constraints(system, [0]).getNumConstraints() == 0
    bare = openmm.System()
    bare.addParticle(1.0)
    bare.addParticle(1.0)
    bare.addConstraint(0, 1, 0.1)
    with pytest.raises(InputError, match="no bond term beneath it"):
        without_constraints(bare, [0, 1])


def test_a_learned_stiffness_stands_where_its_atoms_are() -> None:
    learned = np.arange(9.0).reshape(3, 3) + 9e5 * np.eye(3)
    plain = metric(spring_system(), [0, 1], [[0, 0, 0], [0.1, 0, 0]])
    both = metric(
        spring_system(), [0, 1], [[0, 0, 0], [0.1, 0, 0]], learned=learned, learned_atoms=[1]
    )
    np.testing.assert_allclose((both - plain)[3:, 3:], learned)
    assert np.abs((both - plain)[:3]).max() == 0.0
    with pytest.raises(InputError, match="does not fit 1 atoms"):
        metric(spring_system(), [0, 1], np.zeros((2, 3)), learned=np.eye(6), learned_atoms=[1])


def test_bonded_terms_have_their_own_stiffness() -> None:
    found = metric(spring_system(), [0, 1], [[0, 0, 0], [0.1, 0, 0]], anchor=0.0)
    expected = np.zeros((6, 6))
    expected[np.ix_([0, 3], [0, 3])] = [[2e5, -2e5], [-2e5, 2e5]]
    np.testing.assert_allclose(found, expected, atol=1e-3 * 2e5)
