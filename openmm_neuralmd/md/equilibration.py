"""Equilibration: a state for production from the positions of a complex folder.

Minimised; then half of the time with restraints on the heavy atoms of the solute, at half the time
step; then half without.  In a periodic box both halves are at constant pressure.  The state after
each stage is kept, so that an interruption costs one stage at most.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openmm
from openmm import unit

from ..simulation.guard import guard
from ..units import nanometers
from ..utils.files import complete
from ..utils.openmm_xml import deserialize
from ..utils.platforms import choose_platform
from .field import running_system
from .masses import masses, with_bonds
from .minimise import minimise
from .modes import Setup
from .platforms import make_context, seed_for
from .selection import without_solvent
from .settings import MDSettings

STIFFNESS = 1000.0  # kJ/mol/nm²
FRICTION = 5.0  # 1/ps, brings the temperature up quickly
BAROSTAT_EVERY = 25  # steps
CHUNK = 250  # steps between looks at Ctrl-C
PERIODIC_PS, ISOLATED_PS = 200.0, 20.0  # by default
STAGES = ("minimised", "restrained", "free")
PRODUCTION = len(STAGES)
_VELOCITIES, _NOISE, _PRESSURE = 1, 2, 3  # purposes of random numbers

Say = Callable[[str], None]


def equilibrate(setup: Setup, settings: MDSettings, folder: Path, say: Say) -> openmm.State:
    """Positions, velocities and box of an equilibrated complex.

    Parameters
    ----------
    setup, settings
    folder : Path
        Where the states of the stages are kept.
    say : callable
        Told the stage that begins.

    Raises
    ------
    SimulationError
        A coordinate is not a number.
    """
    half = duration(setup, settings) / 2
    state: openmm.State | None = None
    for name in STAGES:
        file = folder / f"{name}.xml"
        if not file.is_file():
            say(name if name == "minimised" else f"{name}, {half:g} ps")
            reached = _stage(name, setup, settings, state, half)
            with complete(file) as temporary:
                temporary.write_text(openmm.XmlSerializer.serialize(reached))
        state = deserialize(file.read_text(), openmm.State, str(file))
    return state


def relax_box(setup: Setup, settings: MDSettings, time_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box after some time at constant pressure, heavy atoms of the solute held.

    Parameters
    ----------
    setup : Setup
        With a box.
    settings : MDSettings
    time_ps : float

    Returns
    -------
    positions : (N, 3) float64, nm
        Molecules whole.
    box : (3, 3) float64, nm
    """
    context = make_context(setup.system, settings, settings.timestep_fs, FRICTION, 1)
    context.setPeriodicBoxVectors(*setup.topology.getPeriodicBoxVectors())
    context.setPositions(setup.complex.positions)
    context.applyConstraints(1e-6)
    state = _stage("restrained", setup, settings, snapshot(context), time_ps)
    box = state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)
    return nanometers(state.getPositions(asNumpy=True)), np.array(box)


def duration(setup: Setup, settings: MDSettings) -> float:
    """Duration of the restrained and the free stage together, ps."""
    default = PERIODIC_PS if setup.periodic else ISOLATED_PS
    return default if settings.equilibration_ps is None else settings.equilibration_ps


def _stage(
    name: str, setup: Setup, settings: MDSettings, state: openmm.State | None, length_ps: float
) -> openmm.State:
    if state is None:
        return _minimised(setup, settings)
    system = running_system(setup, settings)
    timestep = settings.timestep_fs
    if name == "restrained":
        system.addForce(_restraint(setup, state))
        timestep /= 2
    if setup.periodic:
        system.addForce(barostat(settings, STAGES.index(name)))
    seed = noise(settings, STAGES.index(name))
    context = make_context(system, settings, timestep, FRICTION, seed)
    context.setState(state)
    context.setTime(0)
    context.setStepCount(0)
    if name == "restrained":
        context.setVelocitiesToTemperature(settings.temperature, seed_for(settings, _VELOCITIES))
    advance(context, setup, round(length_ps * 1000 / timestep))
    return snapshot(context)


def _minimised(setup: Setup, settings: MDSettings) -> openmm.State:
    choose_platform(settings.platform)  # before the minimisation, which takes longest
    positions = minimise(
        with_bonds(setup.system), setup.topology, setup.complex.positions, settings.platform
    )
    context = make_context(setup.system, settings, settings.timestep_fs, FRICTION, 1)
    context.setPositions(positions)
    if setup.periodic:
        context.setPeriodicBoxVectors(*setup.topology.getPeriodicBoxVectors())
    context.applyConstraints(1e-6)
    return snapshot(context)


def snapshot(context: openmm.Context) -> openmm.State:
    """Positions, velocities and box."""
    return context.getState(positions=True, velocities=True)


def advance(context: openmm.Context, setup: Setup, steps: int) -> None:
    """Make steps; a coordinate that is not a number stops it with the atom's name."""
    integrator = context.getIntegrator()
    with guard(context, setup.complex):
        while steps > 0:
            integrator.step(min(steps, CHUNK))
            steps -= CHUNK


def noise(settings: MDSettings, stage: int) -> int:
    """Seed of a stage's thermostat."""
    return seed_for(settings, _NOISE, stage)


def barostat(settings: MDSettings, stage: int) -> openmm.MonteCarloBarostat:
    """Return an isotropic barostat at the settings' pressure and temperature."""
    force = openmm.MonteCarloBarostat(
        settings.pressure * unit.bar, settings.temperature, BAROSTAT_EVERY
    )
    force.setRandomNumberSeed(seed_for(settings, _PRESSURE, stage))
    return force


def _restraint(setup: Setup, state: openmm.State) -> openmm.CustomExternalForce:
    """Holds the heavy atoms of the solute that could move where they are."""
    distance = "(x-x0)^2+(y-y0)^2+(z-z0)^2"
    if setup.periodic:
        distance = "periodicdistance(x, y, z, x0, y0, z0)^2"
    force = openmm.CustomExternalForce(f"{STIFFNESS / 2!r}*({distance})")
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    positions = state.getPositions()
    mass, atoms = masses(setup.system), list(setup.topology.atoms())
    for index in without_solvent(setup.complex).tolist():
        element = atoms[index].element
        if mass[index] > 0 and element is not None and element.symbol != "H":
            force.addParticle(index, positions[index])
    return force
