"""Drift of the total energy under a force, from a run without a thermostat in OpenMM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import openmm
from openmm import unit

from ...analysis.coordinates import Array
from ...analysis.memory import memory
from ...errors import SimulationError, one_line
from ...hybrid.hmc import VelocityVerletIntegrator
from ...units import BOLTZMANN
from ...utils.platforms import new_context

FRICTION = 10.0
"""1/ps, of the thermalisation."""


class Energies(NamedTuple):
    """Energies along a run.

    Attributes
    ----------
    time : array (S,)
        ps.
    total, kinetic : array (S,)
        kJ/mol.
    dof : int
        Degrees of freedom.
    """

    time: Array
    total: Array
    kinetic: Array
    dof: int


@dataclass(frozen=True)
class Drift:
    """Drift of a total energy.

    Attributes
    ----------
    slope : float
        kT/ns/dof, with its sign, by least squares; kT from the mean kinetic energy.
    resolution : float
        Two standard errors of the slope: smaller drifts are not told from none.
    share : float
        |slope| over the whole run by the standard deviation of the kinetic energy.
    fluctuation : float
        Standard deviation of the total energy about the line, by that of the kinetic energy.
    temperature : float
        Mean, K.
    picoseconds : float
        Length of the run.
    """

    slope: float
    resolution: float
    share: float
    fluctuation: float
    temperature: float
    picoseconds: float

    def as_dict(self) -> dict[str, float]:
        """Return the values that a result file stores."""
        return asdict(self)


def drift(energies: Energies) -> Drift:
    """Fit a line to the total energy.

    Successive energies are not independent: the standard error is that of as many as there are
    integrated autocorrelation times of the residuals.
    """
    time, total, kinetic, dof = energies
    line = np.polynomial.Polynomial.fit(time, total, 1).convert()
    slope = float(line.coef[1]) if len(line.coef) > 1 else 0.0
    rest = total - line(time)
    kt = 2 * float(kinetic.mean()) / dof
    per_kt = 1000.0 / kt / dof  # kJ/mol/ps to kT/ns/dof
    spread = float(kinetic.std())
    return Drift(
        slope=slope * per_kt,
        resolution=2 * _standard_error(time, rest) * per_kt,
        share=abs(slope) * float(np.ptp(time)) / spread,
        fluctuation=float(rest.std()) / spread,
        temperature=kt / BOLTZMANN,
        picoseconds=float(np.ptp(time)),
    )


def _standard_error(time: Array, rest: Array) -> float:
    """Standard error of a slope, from the residuals of its line."""
    if np.ptp(rest) <= 1e-12 * max(np.abs(rest).max(), 1.0):
        return 0.0
    correlated = max(1.0, 2 * memory(rest))
    independent = max(3.0, len(rest) / correlated)
    return float(rest.std() / time.std() / np.sqrt(independent - 2))


def run_nve(
    system: openmm.System,
    positions: Array,
    *,
    picoseconds: float,
    timestep_fs: float,
    interval_ps: float,
    thermalisation_ps: float = 2.0,
    temperature: float = 300.0,
    platform: str = "CPU",
    seed: int = 1,
    advance: Callable[[int, str], None] | None = None,
) -> Energies:
    """Thermalise, and simulate by velocity Verlet without a thermostat.

    Parameters
    ----------
    system : System
        Particles without mass stand still.
    positions : array (N, 3)
        nm.
    picoseconds, timestep_fs, interval_ps : float
        Length of the run, step, and time between energies.
    thermalisation_ps : float
        Before the run, by Langevin dynamics.
    temperature : float
        K, of the thermalisation.
    platform : str
    seed : int
        Of velocities and thermostat.
    advance : callable, optional
        Told about every energy.

    Raises
    ------
    SimulationError
        The run blew up.
    """
    step = timestep_fs / 1000
    thermostat = openmm.LangevinMiddleIntegrator(temperature, FRICTION, step)
    thermostat.setRandomNumberSeed(seed)
    start = new_context(system, thermostat, platform)
    context = new_context(system, VelocityVerletIntegrator(step), platform)
    every = max(1, round(interval_ps / step))
    rows = []
    try:
        start.setPositions(positions * unit.nanometer)
        start.setVelocitiesToTemperature(temperature, seed)
        thermostat.step(round(thermalisation_ps / step))
        context.setState(start.getState(positions=True, velocities=True))
        context.setTime(0)
        for _ in range(max(3, round(picoseconds / step / every))):
            context.getIntegrator().step(every)
            rows.append(_energies(context))
            if advance is not None:
                advance(1, "")
    except openmm.OpenMMException as error:
        raise SimulationError(f"the run blew up: {one_line(error)}") from error
    time_ps, total, kinetic_energy = np.array(rows).T
    return Energies(time_ps, total, kinetic_energy, degrees_of_freedom(system))


def _energies(context: openmm.Context) -> tuple[float, float, float]:
    """Time in ps, total and kinetic energy in kJ/mol of a Context, if they are numbers."""
    state = context.getState(energy=True)
    kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
    total = kinetic + state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    time = state.getTime().value_in_unit(unit.picosecond)
    if not np.isfinite(total):
        raise SimulationError(f"the energy is not a number after {time:g} ps")
    return time, total, kinetic


def degrees_of_freedom(system: openmm.System) -> int:
    """Count three for each particle that has a mass, less the constraints."""
    moving = [system.getParticleMass(i)._value > 0 for i in range(system.getNumParticles())]
    pairs = (system.getConstraintParameters(k)[:2] for k in range(system.getNumConstraints()))
    return 3 * sum(moving) - sum(moving[i] or moving[j] for i, j in pairs)
