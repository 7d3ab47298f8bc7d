"""Contexts beside openmmtools' cache, and MD with a seed in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from openmm import unit
from openmmtools import cache

from ..md.settings import MDSettings
from ..units import nanometers
from ..utils.platforms import choose_platform

CHUNK = 250  # steps between looks at Ctrl-C


def context_cache(md: MDSettings) -> cache.ContextCache:
    """A cache of Contexts on the platform that the settings name, or the fastest."""
    return cache.ContextCache(choose_platform(md.platform), md.properties or None)


def shared_cache(given: cache.ContextCache | None) -> cache.ContextCache:
    """The cache that a move was given, or openmmtools' global one.

    A global cache without a platform gets the one of `choose_platform`: left alone, OpenMM would
    take OpenCL on a CPU for the fastest.
    """
    if given is not None:
        return given
    shared = cache.global_context_cache
    if shared.platform is None and not len(shared):
        shared.platform = choose_platform()
    return shared


def context_like(
    target: openmm.Context, system: openmm.System, integrator: openmm.Integrator
) -> openmm.Context:
    """A Context on the platform of another one, device and precision included."""
    platform = target.getPlatform()
    shared = {"Precision", "DeviceIndex", "Threads"} & set(platform.getPropertyNames())
    properties = {name: platform.getPropertyValue(target, name) for name in shared}
    return openmm.Context(system, integrator, platform, properties)


def put(context: openmm.Context, sampler_state: Any, velocities: bool = False) -> None:
    """Box and positions of a SamplerState, and its velocities if asked for."""
    if sampler_state.box_vectors is not None:
        context.setPeriodicBoxVectors(*sampler_state.box_vectors)
    context.setPositions(sampler_state.positions)
    if velocities and sampler_state.velocities is not None:
        context.setVelocities(sampler_state.velocities)


def langevin(
    target: openmm.Context,
    thermodynamic_state: Any,
    sampler_state: Any,
    *,
    steps: int,
    timestep: float,
    friction: float,
    seed: int,
    fresh: bool = False,
) -> None:
    """Run MD of all atoms by the Langevin middle integrator, in place; deterministic for a seed.

    openmmtools' own Langevin move draws from generators that cannot be stored, so that a run could
    not go on exactly where it was.

    Parameters
    ----------
    target : Context
        Of the platform to take.
    timestep, friction : float
        ps, 1/ps.
    fresh : bool
        Draw velocities; the state's are taken otherwise, where it has any.

    Raises
    ------
    openmm.OpenMMException
        A coordinate is not a number.  The sampler state is as it was.
    """
    temperature = thermodynamic_state.temperature
    integrator = openmm.LangevinMiddleIntegrator(temperature, friction, timestep)
    integrator.setRandomNumberSeed(seed)
    system = thermodynamic_state.get_system(remove_thermostat=True)
    for force in system.getForces():
        if hasattr(force, "setRandomNumberSeed"):  # a barostat
            force.setRandomNumberSeed(seed)
    context = context_like(target, system, integrator)
    put(context, sampler_state, velocities=True)
    context.applyConstraints(1e-6)
    if fresh or sampler_state.velocities is None:
        context.setVelocitiesToTemperature(temperature, seed)
    while steps > 0:
        integrator.step(min(steps, CHUNK))
        steps -= CHUNK
    state = context.getState(positions=True, velocities=True)
    if not np.isfinite(nanometers(state.getPositions(asNumpy=True))).all():
        raise openmm.OpenMMException("a coordinate is not a number")
    sampler_state.box_vectors = state.getPeriodicBoxVectors()
    sampler_state.positions = state.getPositions(asNumpy=True)
    sampler_state.velocities = state.getVelocities(asNumpy=True)


def kilojoules(energy: unit.Quantity) -> float:
    """An energy as a float in kJ/mol."""
    return float(energy.value_in_unit(unit.kilojoule_per_mole))
