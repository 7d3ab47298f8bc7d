"""Torsion moves: detailed balance, exact distributions, reversibility, and storage."""

from __future__ import annotations

import pickle
from itertools import combinations

import numpy as np
import openmm
import pytest
from openmm import unit
from openmmtools import cache, states
from openmmtools.utils import deserialize, serialize

from intervals import effective_samples
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.hybrid import (
    Torsion,
    TorsionMove,
    TorsionNCMCMove,
    ligand_torsions,
    well_density,
)
from openmm_neuralmd.hybrid.hmc import VelocityVerletIntegrator
from openmm_neuralmd.units import BOLTZMANN

KT = BOLTZMANN * 300.0
REFERENCE = openmm.Platform.getPlatformByName("Reference")
BARRIER, BIAS = 12.0, 2.0
"""kJ/mol of the potential below: three wells, of which one is deeper."""

CHAIN = np.array([[0.1, 0.05, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.15], [0.09, 0.02, 0.21]])


def potential(angle: np.ndarray) -> np.ndarray:
    """kJ/mol."""
    return BARRIER / 2 * (1 + np.cos(3 * angle)) + BIAS * (1 + np.cos(angle))


def chain_system(constrained: bool = False) -> openmm.System:
    """Four atoms in a row; what the torsion does is independent of bonds and angles."""
    system = openmm.System()
    for _ in range(4):
        system.addParticle(14.0)
    bonds, angles = openmm.HarmonicBondForce(), openmm.HarmonicAngleForce()
    for i in range(3):
        length = float(np.linalg.norm(CHAIN[i + 1] - CHAIN[i]))
        bonds.addBond(i, i + 1, length, 2e4)
        if constrained:
            system.addConstraint(i, i + 1, length)
    for i in range(2):
        angles.addAngle(i, i + 1, i + 2, 2.0, 200.0)
    torsions = openmm.PeriodicTorsionForce()
    torsions.addTorsion(0, 1, 2, 3, 3, 0.0, BARRIER / 2)
    torsions.addTorsion(0, 1, 2, 3, 1, 0.0, BIAS)
    for force in (bonds, angles, torsions):
        system.addForce(force)
    return system


def torsion(density: np.ndarray | None = None) -> Torsion:
    flat = np.ones(12) if density is None else density
    return Torsion(np.arange(4), np.array([2, 3]), flat)


def state(system: openmm.System) -> states.ThermodynamicState:
    return states.ThermodynamicState(system, 300 * unit.kelvin)


def angles_of(move: TorsionMove | TorsionNCMCMove, count: int) -> np.ndarray:
    """φ in rad after each application, (count,)."""
    thermodynamic = state(chain_system())
    sampler, shared = states.SamplerState(CHAIN * unit.nanometer), cache.ContextCache(REFERENCE)
    angles = []
    for _ in range(count):
        move.apply(thermodynamic, sampler, shared)
        angles.append(move.torsions[0].angle(sampler.positions.value_in_unit(unit.nanometer)))
    return np.array(angles)


def check_distribution(angles: np.ndarray, bins: int = 6) -> None:
    """Populations of bins against those of the potential, in standard errors."""
    grid = np.linspace(-np.pi, np.pi, 6001)[:-1]
    weight = np.exp(-potential(grid) / KT)
    edges = np.linspace(-np.pi, np.pi, bins + 1)
    exact = np.histogram(grid, edges, weights=weight / weight.sum())[0]
    for row, share in enumerate(exact):
        inside = ((angles >= edges[row]) & (angles < edges[row + 1])).astype(float)
        error = np.sqrt(share * (1 - share) / effective_samples(inside))
        assert abs(inside.mean() - share) < 4 * error, (row, inside.mean(), share)


@pytest.mark.parametrize("density", [None, well_density([0.3, 2.0], [0.9, 0.1])])
def test_torsion_moves_sample_the_potential_whatever_is_proposed(
    density: np.ndarray | None,
) -> None:
    move = TorsionMove([torsion(density)], n_proposals=1, seed=1)
    angles = angles_of(move, 12000)
    assert 0.02 < move.fraction_accepted < 0.9
    check_distribution(angles)


def test_detailed_balance_between_three_wells() -> None:
    """From each of three angles: π(a) T(a→b) = π(b) T(b→a), with a density that favours one."""
    density = well_density([np.pi, 1.0], [0.7, 0.3])
    move = TorsionMove([torsion(density)], n_proposals=1, seed=2)
    thermodynamic, shared = state(chain_system()), cache.ContextCache(REFERENCE)
    count, edges = 4000, np.linspace(-np.pi, np.pi, 4)
    grid = np.linspace(-np.pi, np.pi, 6001)[:-1]
    weight = np.exp(-potential(grid) / KT)
    shares = weight / weight.sum()
    random, flow = np.random.default_rng(0), np.zeros((3, 3))
    here = move.torsions[0].angle(CHAIN)
    for _ in range(count):  # each start is drawn from the exact distribution
        angle = random.choice(grid, p=shares)
        positions = move.torsions[0].turned(CHAIN, angle - here)
        sampler = states.SamplerState(positions * unit.nanometer)
        move.apply(thermodynamic, sampler, shared)
        after = move.torsions[0].angle(sampler.positions.value_in_unit(unit.nanometer))
        a, b = (int(np.clip(np.searchsorted(edges, v) - 1, 0, 2)) for v in (angle, after))
        flow[a, b] += 1
    for a, b in combinations(range(3), 2):
        there, back = flow[a, b], flow[b, a]
        assert there > 20
        assert abs(there - back) < 4 * np.sqrt(there + back), (a, b, there, back)


@pytest.mark.parametrize(("turns", "steps"), [(1, 2), (8, 3)])
def test_nonequilibrium_turns_sample_the_potential(turns: int, steps: int) -> None:
    move = TorsionNCMCMove([torsion()], n_turns=turns, n_steps=steps, timestep=0.004, seed=3)
    angles = angles_of(move, 4000)
    assert 0.02 < move.fraction_accepted < 0.98
    check_distribution(angles, 3)


@pytest.mark.parametrize("constrained", [False, True])
def test_a_nonequilibrium_turn_is_reversible(constrained: bool) -> None:
    context = openmm.Context(chain_system(constrained), VelocityVerletIntegrator(0.002), REFERENCE)
    context.setPositions(CHAIN)
    context.setVelocitiesToTemperature(300.0, 4)
    move = TorsionNCMCMove([torsion()], n_turns=10, n_steps=4)
    start = context.getState(positions=True, velocities=True)
    move._drive(context, move.torsions[0], 2.0)
    there = context.getState(positions=True, velocities=True)
    assert np.abs(_nm(there) - _nm(start)).max() > 0.02
    context.setVelocities(-there.getVelocities(asNumpy=True))
    move._drive(context, move.torsions[0], -2.0)
    back = context.getState(positions=True, velocities=True)
    assert np.abs(_nm(back) - _nm(start)).max() < 1e-6
    assert np.abs((back.getVelocities() + start.getVelocities(asNumpy=True))._value).max() < 1e-4


def _nm(of: openmm.State) -> np.ndarray:
    return np.asarray(of.getPositions(asNumpy=True)._value)


@pytest.mark.parametrize("kind", [TorsionMove, TorsionNCMCMove])
def test_a_stored_torsion_move_continues_the_same_chain(kind: type) -> None:
    move = kind([torsion()], seed=5)
    angles_of(move, 5)
    for copy in (pickle.loads(pickle.dumps(move)), deserialize(serialize(move))):
        assert copy.statistics == move.statistics
        np.testing.assert_array_equal(copy.torsions[0].density, move.torsions[0].density)
    first = pickle.loads(pickle.dumps(move))
    np.testing.assert_array_equal(angles_of(first, 5), angles_of(move, 5))


def test_turning_keeps_lengths_and_kinetic_energy() -> None:
    one = torsion()
    velocities = np.random.default_rng(0).standard_normal((4, 3))
    turned = one.turned(CHAIN, 1.2)
    assert one.angle(turned) - one.angle(CHAIN) == pytest.approx(1.2)
    for i in range(3):
        before, after = (np.linalg.norm(x[i + 1] - x[i]) for x in (CHAIN, turned))
        assert after == pytest.approx(before)
    with_them = one.turned(CHAIN, 1.2, velocities)
    assert (with_them**2).sum() == pytest.approx((velocities**2).sum())
    np.testing.assert_array_equal(with_them[:2], velocities[:2])


def test_atoms_are_not_turned_onto_others() -> None:
    """A fifth atom attracts without a lower bound where the fourth would come to lie."""
    system = chain_system()
    system.addParticle(14.0)
    hole = openmm.CustomBondForce("-50/r^2")
    hole.addBond(3, 4)
    system.addForce(hole)
    thermodynamic, shared = state(system), cache.ContextCache(REFERENCE)
    one = torsion()
    there = one.turned(CHAIN, 2.0)[3]
    sampler = states.SamplerState(np.vstack([CHAIN, there]) * unit.nanometer)
    move = TorsionMove([one], n_proposals=400, seed=7)
    move.apply(thermodynamic, sampler, shared)
    positions = sampler.positions.value_in_unit(unit.nanometer)
    assert move.n_accepted > 0 and move.n_failed == 0
    assert np.linalg.norm(positions[3] - positions[4]) >= 0.1


def test_torsions_of_a_ligand_take_their_hydrogens_along(
    ergotamine_torsions: list[Torsion],
) -> None:
    for one in ergotamine_torsions:
        assert one.quadruple[3] in one.moving and one.quadruple[1] not in one.moving
    sizes = [len(one.moving) for one in ergotamine_torsions]
    assert sizes == sorted(sizes)


@pytest.fixture(scope="module")
def ergotamine_torsions() -> list[Torsion]:
    from openmm_neuralmd import example_complex

    return ligand_torsions(example_complex("gpcr-ergotamine"))


def test_what_cannot_turn_is_refused() -> None:
    with pytest.raises(InputError, match="one rotatable bond or more"):
        TorsionMove([])
    with pytest.raises(InputError, match="must contain the fourth atom"):
        Torsion(np.arange(4), np.array([0, 1]), np.ones(4))
    with pytest.raises(InputError, match="positive everywhere"):
        torsion(np.array([1.0, 0.0]))
    with pytest.raises(InputError, match="one turn and one step or more"):
        TorsionNCMCMove([torsion()], n_turns=0)
