"""Contexts and random seeds of a run, from its settings."""

from __future__ import annotations

import numpy as np
import openmm
from openmm import unit

from ..utils.platforms import new_context
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
    return new_context(system, integrator, settings.platform, settings.properties)


def seed_for(settings: MDSettings, *place: int) -> int:
    """Derive a seed from 1 to 2³¹ − 1 for each purpose and place in the run."""
    state = np.random.SeedSequence([settings.seed, *place]).generate_state(1)[0]
    return int(state % (2**31 - 1)) + 1
