"""Femtosecond runs with a thermostat, and whether the ligand stays the molecule it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import openmm
from openmm import unit

from internal import internal_divergences, largest_deviation
from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.errors import SimulationError, one_line
from openmm_neuralmd.units import nanometers, to_angstrom
from openmm_neuralmd.utils.platforms import new_context


def _middle(temperature: float, friction: float, step: float) -> openmm.Integrator:
    return openmm.LangevinMiddleIntegrator(temperature, friction, step)


def _openmmtools(temperature: float, friction: float, step: float) -> openmm.Integrator:
    from openmmtools.integrators import BAOABIntegrator

    quantities = (
        temperature * unit.kelvin,
        friction / unit.picosecond,
        step * unit.picoseconds,
    )
    return BAOABIntegrator(*quantities)


THERMOSTATS: dict[str, Callable[[float, float, float], Any]] = {
    "LangevinMiddleIntegrator": _middle,
    "openmmtools BAOABIntegrator": _openmmtools,
}
"""By name: temperature in K, friction in 1/ps and step in ps to an integrator."""


@dataclass(frozen=True)
class NVTSettings:
    """A run with a thermostat.

    Attributes
    ----------
    picoseconds, timestep_fs, interval_ps : float
        Length of the run, step, and time between snapshots.
    temperature, friction : float
        K, 1/ps.
    equilibration_ps : float
        Before the run.
    platform : str
    """

    picoseconds: float = 100.0
    timestep_fs: float = 1.0
    interval_ps: float = 0.05
    temperature: float = 300.0
    friction: float = 1.0
    equilibration_ps: float = 2.0
    platform: str = "CPU"

    @property
    def snapshots(self) -> int:
        """Number of snapshots of a run."""
        return max(2, round(self.picoseconds / self.interval_ps))


def run_nvt(
    system: openmm.System,
    positions: Array,
    atoms: Array,
    thermostat: str,
    settings: NVTSettings,
    seed: int = 1,
    advance: Callable[[int, str], None] | None = None,
) -> Array:
    """Snapshots (S, n, 3) in Å of some atoms.

    Parameters
    ----------
    system : System
    positions : array (N, 3)
        nm.
    atoms : array (n,), int64
    thermostat : str
        One of `THERMOSTATS`.
    settings : NVTSettings
    seed : int
        Of velocities and thermostat.
    advance : callable, optional
        Told about every snapshot.

    Raises
    ------
    SimulationError
        The run blew up.
    """
    step = settings.timestep_fs / 1000
    integrator = THERMOSTATS[thermostat](settings.temperature, settings.friction, step)
    integrator.setRandomNumberSeed(seed)
    context = new_context(system, integrator, settings.platform)
    every = max(1, round(settings.interval_ps / step))
    snapshots: list[Array] = []
    try:
        context.setPositions(positions * unit.nanometer)
        context.setVelocitiesToTemperature(settings.temperature, seed)
        integrator.step(round(settings.equilibration_ps / step))
        while len(snapshots) < settings.snapshots:
            integrator.step(every)
            now = nanometers(context.getState(positions=True).getPositions(asNumpy=True))[atoms]
            if not np.isfinite(now).all():
                raise SimulationError(f"not a number after {len(snapshots)} snapshots")
            snapshots.append(to_angstrom(now))
            if advance is not None:
                advance(1, "")
    except openmm.OpenMMException as error:
        raise SimulationError(
            f"the run blew up after {len(snapshots) * settings.interval_ps:g} ps: {one_line(error)}"
        ) from error
    return np.array(snapshots)


def shape(x: Array, reference: Array, bonds: Array) -> dict[str, float]:
    """Compare a molecule in snapshots x (S, n, 3) with a reference (T, n, 3), Å.

    Returns
    -------
    dict
        ``largest_bond_deviation`` from the reference's mean, Å; divergences of ``bonds`` and
        ``angles``, bits.
    """
    return {
        "largest_bond_deviation": largest_deviation(x, reference, bonds),
        **internal_divergences(reference, x, bonds),
    }
