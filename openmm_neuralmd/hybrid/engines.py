"""Programs that make the all-atom MD of jumps and beside them, by name.

OpenMM runs everything on the platform of openmmtools' Contexts.  GROMACS simulates the same System,
exported, with its program: on a CPU its steps cost a sixth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit
from openmmtools import states

from ..errors import InputError, SimulationError
from ..md.gromacs.program import find_gmx
from ..md.gromacs.stretches import Moment, Pull, Stretches, nearest
from ..md.modes import Setup
from ..md.settings import MDSettings
from ..units import nanometers
from .contexts import langevin
from .drag import FRICTION, STAGE_STEPS, drag

Array = NDArray[np.float64]

FAILURES = (openmm.OpenMMException, SimulationError)
"""Errors by which an engine says that a simulation has failed."""
TURN = math.radians(45.0)
"""Rotation about a bond for which a straight line of the restraints is taken for its arc."""
_VELOCITY = unit.nanometer / unit.picosecond


class Engine(Protocol):
    """All-atom MD of a Setup, which changes a sampler state in place.

    `target` is a Context of the platform to take, `thermodynamic_state` openmmtools'.
    """

    def describe(self) -> dict[str, str]:
        """Name and version of the program."""

    def stages(self, time_ps: float, turn: float) -> tuple[int, int]:
        """Number of stages of a path, and steps of each, to drag a pose within some time.

        `turn` is the widest rotation about a bond on the way, in radians.
        """

    def run(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        *,
        steps: int,
        seed: int,
        fresh: bool = False,
    ) -> None:
        """Langevin dynamics of all atoms; from fresh velocities if asked for, or without any.

        Raises one of `FAILURES` where it fails.
        """

    def drag(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        path: Array,
        atoms: NDArray[np.int64],
        *,
        steps: int,
        stiffness: float,
        seed: int,
    ) -> Array:
        """Drag atoms along a path (stages, n, 3) in nm; the work (n,) of the restraints in kJ/mol.

        Raises one of `FAILURES` where it fails.
        """


class OpenMMEngine:
    """MD in OpenMM's Contexts.

    Parameters
    ----------
    setup : Setup
    md : MDSettings
    """

    def __init__(self, setup: Setup, md: MDSettings) -> None:
        self.timestep, self.friction = md.timestep_fs / 1000, md.friction

    def describe(self) -> dict[str, str]:
        """See `Engine`."""
        return {"name": "openmm", "version": openmm.version.version}

    def stages(self, time_ps: float, turn: float) -> tuple[int, int]:
        """See `Engine`."""
        return max(1, round(time_ps / (STAGE_STEPS * self.timestep))), STAGE_STEPS

    def run(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        *,
        steps: int,
        seed: int,
        fresh: bool = False,
    ) -> None:
        """See `Engine`."""
        langevin(
            target,
            thermodynamic_state,
            sampler_state,
            steps=steps,
            timestep=self.timestep,
            friction=self.friction,
            seed=seed,
            fresh=fresh,
        )

    def drag(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        path: Array,
        atoms: NDArray[np.int64],
        *,
        steps: int,
        stiffness: float,
        seed: int,
    ) -> Array:
        """See `Engine`."""
        return drag(
            target,
            thermodynamic_state,
            sampler_state,
            path,
            atoms,
            steps=steps,
            stiffness=stiffness,
            timestep=self.timestep,
            seed=seed,
        )


class GromacsEngine:
    """MD by GROMACS, a stretch at a time.

    Parameters
    ----------
    setup : Setup
        The System that is exported; any other is refused.
    md : MDSettings

    Raises
    ------
    InputError
        Settings or forces that GROMACS cannot carry out.
    ProgramError
        gmx is missing.
    """

    def __init__(self, setup: Setup, md: MDSettings) -> None:
        self._stretches = Stretches(setup, md)
        self._own = states.ThermodynamicState(setup.system, md.temperature * unit.kelvin)
        self.timestep, self.friction = md.timestep_fs / 1000, md.friction

    def describe(self) -> dict[str, str]:
        """See `Engine`."""
        gmx = find_gmx()
        return {"name": "gromacs", "version": gmx.version, "simd": gmx.simd}

    def stages(self, time_ps: float, turn: float) -> tuple[int, int]:
        """See `Engine`."""
        count = max(1, math.ceil(turn / TURN))
        return count, max(1, round(time_ps / (count * self.timestep)))

    def run(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        *,
        steps: int,
        seed: int,
        fresh: bool = False,
    ) -> None:
        """See `Engine`."""
        moment = self._moment(thermodynamic_state, sampler_state, fresh)
        reached = self._stretches(
            moment,
            steps=steps,
            temperature=_kelvin(thermodynamic_state),
            friction=self.friction,
            seed=seed,
            constant_pressure=thermodynamic_state.pressure is not None,
        )
        _put(sampler_state, reached)

    def drag(
        self,
        target: openmm.Context,
        thermodynamic_state: Any,
        sampler_state: Any,
        path: Array,
        atoms: NDArray[np.int64],
        *,
        steps: int,
        stiffness: float,
        seed: int,
    ) -> Array:
        """See `Engine`."""
        moment = self._moment(thermodynamic_state, sampler_state, fresh=False)
        place, work = moment.positions[atoms], np.zeros(len(atoms))
        # the restraints begin at the present pose, where their energy is 0
        for number, following in enumerate(path):
            moment, done = self._stretches.dragged(
                moment,
                Pull(atoms, place, following, stiffness),
                steps=steps,
                temperature=_kelvin(thermodynamic_state),
                friction=FRICTION,
                seed=seed + number,
            )
            work, place = work + done, following
        away = nearest(moment.positions[atoms] - place, moment.box)
        _put(sampler_state, moment)
        return np.asarray(work - stiffness / 2 * (away**2).sum(axis=1))

    def _moment(self, thermodynamic_state: Any, sampler_state: Any, fresh: bool) -> Moment:
        if not self._own.is_state_compatible(thermodynamic_state):
            raise InputError(
                "the thermodynamic state has another System than the jump, and GROMACS has that "
                "of the jump only; take thermodynamic_state() of the move, or engine: openmm"
            )
        velocities = None if fresh else sampler_state.velocities
        periodic = self._stretches.setup.periodic
        return Moment(
            nanometers(sampler_state.positions),
            None if velocities is None else np.asarray(velocities.value_in_unit(_VELOCITY)),
            nanometers(sampler_state.box_vectors) if periodic else None,
        )


def _kelvin(thermodynamic_state: Any) -> float:
    return float(thermodynamic_state.temperature.value_in_unit(unit.kelvin))


def _put(sampler_state: Any, moment: Moment) -> None:
    if moment.box is not None:
        sampler_state.box_vectors = moment.box * unit.nanometer
    sampler_state.positions = moment.positions * unit.nanometer
    sampler_state.velocities = moment.velocities * _VELOCITY


ENGINES: dict[str, Callable[[Setup, MDSettings], Engine]] = {
    "openmm": OpenMMEngine,
    "gromacs": GromacsEngine,
}
"""By the setting `engine` of a hybrid run."""
