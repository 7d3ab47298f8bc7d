"""Stretches of MD by GROMACS from memory to memory, against OpenMM and the first law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import openmm
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from openmm_neuralmd.errors import InputError, SimulationError
from openmm_neuralmd.md import MDSettings, build
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs import Gmx
from openmm_neuralmd.md.gromacs.coordinates import AtomNames, read_coordinates, write_coordinates
from openmm_neuralmd.md.gromacs.stretches import Moment, Pull, Stretches, nearest
from openmm_neuralmd.md.masses import masses
from openmm_neuralmd.md.modes import Setup
from openmm_neuralmd.units import BOLTZMANN

pytestmark = pytest.mark.gromacs
POCKET = MDSettings(
    mode="pocket",
    pocket_radius=0.5,
    shell_radius=0.9,
    timestep_fs=1.0,
    platform="CPU",
    properties={"Threads": "1"},
)
STILL = 1e-7  # 1/ps: a friction without effect


@pytest.fixture(scope="module")
def setup(t4l_folder: ComplexFolder) -> Setup:
    return build(t4l_folder, POCKET)


@pytest.fixture(scope="module")
def stretches(gmx: Gmx, setup: Setup) -> Stretches:
    return Stretches(setup, POCKET)


@pytest.fixture(scope="module")
def warm(stretches: Stretches, setup: Setup) -> Moment:
    start = Moment(setup.complex.positions, None, None)
    return stretches(start, steps=300, temperature=300.0, friction=10.0, seed=1)


def energy(setup: Setup, moment: Moment) -> float:
    """Potential energy by OpenMM and kinetic energy, kJ/mol."""
    context = openmm.Context(
        setup.system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(moment.positions)
    potential = context.getState(energy=True).getPotentialEnergy()._value
    assert moment.velocities is not None
    kinetic = (masses(setup.system)[:, None] * moment.velocities**2).sum() / 2
    return float(potential + kinetic)


@given(
    positions=arrays(float, (4, 3), elements=st.floats(-99.0, 999.0)),
    velocities=arrays(float, (4, 3), elements=st.floats(-30.0, 30.0)),
    tilt=st.floats(-2.0, 2.0),
)
def test_coordinates_are_read_back(
    positions: np.ndarray,
    velocities: np.ndarray,
    tilt: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("g96")
    rows = "".join(f"    1LIG     C{n}    {n}   0 0 0\n" for n in range(1, 5))
    (place / "a.gro").write_text(f"title\n4\n{rows}1 1 1\n")
    names = AtomNames.of(place / "a.gro")
    assert names.labels[0] == "    1 LIG   C1         1"
    box = np.array([[5.0, 0, 0], [tilt, 6.0, 0], [-tilt, tilt, 7.0]])
    write_coordinates(place / "a.g96", names, positions, velocities, box)
    for read, written in zip(
        read_coordinates(place / "a.g96"), (positions, velocities, box), strict=True
    ):
        np.testing.assert_allclose(read, written, atol=6e-10)


def test_the_path_without_noise_is_that_of_openmm(
    stretches: Stretches, setup: Setup, warm: Moment
) -> None:
    """From rest, without friction, both integrators are Verlet's: the same positions."""
    still = warm._replace(velocities=np.zeros_like(warm.positions))
    reached = stretches(still, steps=20, temperature=300.0, friction=STILL, seed=3)
    context = openmm.Context(
        setup.system,
        openmm.VerletIntegrator(POCKET.timestep_fs / 1000),
        openmm.Platform.getPlatformByName("Reference"),
    )
    context.setPositions(still.positions)
    context.setVelocities(still.velocities)
    context.getIntegrator().step(20)
    there = context.getState(positions=True).getPositions(asNumpy=True)._value
    moved = np.abs(there - still.positions).max()
    assert moved > 2e-3
    # rest is at the half step before the start for one, at the half step after it for the other
    assert np.abs(reached.positions - there).max() < 0.12 * moved


def test_what_stands_still_stands_and_the_rest_is_warm(
    stretches: Stretches, setup: Setup, warm: Moment
) -> None:
    fixed = masses(setup.system) == 0
    assert fixed.any() and (warm.positions[fixed] == setup.complex.positions[fixed]).all()
    squares = []
    moment = warm
    for seed in range(5, 11):
        moment = stretches(moment, steps=50, temperature=300.0, friction=10.0, seed=seed)
        assert moment.velocities is not None
        squares.append((masses(setup.system)[:, None] * moment.velocities**2).sum())
    every = range(setup.system.getNumConstraints())
    constraints = [setup.system.getConstraintParameters(n) for n in every]
    of_moving = [(i, j, length) for i, j, length in constraints if not (fixed[i] and fixed[j])]
    freedom = 3 * (~fixed).sum() - len(of_moving)
    assert np.mean(squares) / (freedom * BOLTZMANN) == pytest.approx(300.0, rel=0.1)
    for i, j, length in of_moving:
        apart = np.linalg.norm(moment.positions[i] - moment.positions[j])
        assert apart == pytest.approx(length._value, abs=1e-4)


def test_a_seed_decides(stretches: Stretches, warm: Moment) -> None:
    first, second, other = (
        stretches(warm, steps=20, temperature=300.0, friction=1.0, seed=seed).positions
        for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-4


def test_work_is_what_the_energy_gains(stretches: Stretches, setup: Setup, warm: Moment) -> None:
    """Without friction the energy of System and restraints grows by the work of their motion."""
    atoms = setup.complex.ligand_heavy[::-1]  # in any order
    start = warm.positions[atoms]
    end, stiffness = start + np.array([0.08, 0.0, 0.05]), 20_000.0
    reached, work = stretches.dragged(
        warm, Pull(atoms, start, end, stiffness), steps=200, temperature=300.0, friction=STILL,
        seed=4,
    )  # fmt: skip
    held = stiffness / 2 * ((reached.positions[atoms] - end) ** 2).sum()
    gained = energy(setup, reached) + held - energy(setup, warm)
    assert work.shape == (len(atoms),) and gained > 100.0
    assert work.sum() == pytest.approx(gained, rel=0.1)
    at_rest, nothing = stretches.dragged(
        warm, Pull(atoms, start, start, stiffness), steps=20, temperature=300.0, friction=STILL,
        seed=4,
    )  # fmt: skip
    assert np.abs(nothing).max() == 0.0 and at_rest.positions.shape == warm.positions.shape


def test_vectors_are_those_between_nearest_images() -> None:
    box = np.array([[4.0, 0, 0], [1.0, 5.0, 0], [-1.0, 2.0, 6.0]])
    small = np.array([[0.1, -0.2, 0.3], [0.0, 0.4, -0.1]])
    shifted = small + np.array([[1, -2, 1], [0, 1, -1]]) @ box
    np.testing.assert_allclose(nearest(shifted, box), small, atol=1e-12)
    np.testing.assert_array_equal(nearest(shifted, None), shifted)


def test_a_box_keeps_its_pressure_or_its_volume(gmx: Gmx, t4l_water: ComplexFolder) -> None:
    settings = replace(POCKET, mode="flexible", timestep_fs=2.0)
    whole = build(t4l_water, settings)
    stretches = Stretches(whole, settings)
    start = Moment(whole.complex.positions, None, whole.complex.box)
    kept = stretches(start, steps=20, temperature=300.0, friction=1.0, seed=1)
    np.testing.assert_allclose(kept.box, whole.complex.box, atol=1e-5)
    free = stretches(
        start, steps=100, temperature=300.0, friction=1.0, seed=1, constant_pressure=True
    )
    assert free.box is not None and np.abs(free.box - whole.complex.box).max() > 1e-5


def test_what_gromacs_cannot_simulate(gmx: Gmx, t4l_folder: ComplexFolder, setup: Setup) -> None:
    with pytest.raises(InputError, match="take flexible or pocket"):
        Stretches(setup, replace(POCKET, mode="rigid"))
    torn = setup.complex.positions.copy()
    torn[setup.complex.ligand] *= 1e-3  # all atoms upon each other
    with pytest.raises(SimulationError, match=r"gmx|constraints"):
        Stretches(setup, POCKET)(
            Moment(torn, np.zeros_like(torn), None), steps=50, temperature=300.0, friction=1.0,
            seed=1,
        )  # fmt: skip
