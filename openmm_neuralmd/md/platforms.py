"""Contexts of a run on the platform that its settings name."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from openmm import unit

from ..errors import InputError, one_line
from .settings import MDSettings


def make_context(
    system: openmm.System, settings: MDSettings, timestep_fs: float, friction: float, seed: int
) -> openmm.Context:
    """A Context with the Langevin middle integrator (Zhang et al. 2019).

    Raises
    ------
    InputError
        The platform is not there, or refuses its properties.
    """
    integrator = openmm.LangevinMiddleIntegrator(
        settings.temperature, friction, timestep_fs * unit.femtosecond
    )
    integrator.setRandomNumberSeed(seed)
    chosen: list[Any] = []
    if settings.platform is not None:
        chosen = [find_platform(settings.platform), settings.properties]
    try:
        return openmm.Context(system, integrator, *chosen)
    except openmm.OpenMMException as error:
        raise InputError(f"OpenMM cannot start the run: {one_line(error)}") from error


def find_platform(name: str) -> openmm.Platform:
    """An OpenMM platform by name.

    Raises
    ------
    InputError
    """
    known = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    for platform in known:
        if platform.getName() == name:
            return platform
    names = ", ".join(platform.getName() for platform in known)
    raise InputError(f"platform '{name}' is not installed; there are: {names}")


def fastest_platform() -> str:
    """Name of the platform that OpenMM takes where none is asked for."""
    known = [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]
    return str(max(known, key=lambda platform: platform.getSpeed()).getName())


def describe_platform(context: openmm.Context) -> dict[str, Any]:
    """Name and properties that are in force, for the record."""
    platform = context.getPlatform()
    used = {name: platform.getPropertyValue(context, name) for name in platform.getPropertyNames()}
    return {"name": platform.getName(), "properties": used}


def seed_for(settings: MDSettings, *place: int) -> int:
    """A seed of its own, from 1 to 2³¹ − 1, for each purpose and place in the run."""
    state = np.random.SeedSequence([settings.seed, *place]).generate_state(1)[0]
    return int(state % (2**31 - 1)) + 1
