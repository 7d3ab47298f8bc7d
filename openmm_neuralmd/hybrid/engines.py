"""Programs that make the all-atom MD of jumps and beside them, by name.

OpenMM runs everything on the platform of openmmtools' Contexts.  GROMACS simulates the same System,
exported, with its program: on a CPU its steps cost a sixth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit
from openmmtools import states

from ..errors import InputError, SimulationError
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


class Place(NamedTuple):
    """State that an engine advances.

    Attributes
    ----------
    target : Context
        Of the platform to take.
    thermodynamic_state, sampler_state : openmmtools
        The latter is changed in place.
    """

    target: openmm.Context
    thermodynamic_state: Any
    sampler_state: Any

    @property
    def kelvin(self) -> float:
        """Temperature of the thermodynamic state."""
        return float(self.thermodynamic_state.temperature.value_in_unit(unit.kelvin))


class Dragged(NamedTuple):
    """Atoms that restraints drag.

    Attributes
    ----------
    path : (stages, n, 3) float64, nm
        Places of the restraints one after the other.
    atoms : (n,) int64
    stiffness : float
        kJ/mol/nm² of a restraint.
    """

    path: Array
    atoms: NDArray[np.int64]
    stiffness: float


class Engine(Protocol):
    """All-atom MD of a Setup, which changes a sampler state in place.

    Its methods raise one of `FAILURES` where a simulation fails.
    """

    def describe(self) -> dict[str, str]:
        """Name and version of the program."""

    def stages(self, time_ps: float, turn: float) -> tuple[int, int]:
        """Number of stages of a path, and steps of each, to drag a pose within some time.

        `turn` is the widest rotation about a bond on the way, in radians.
        """

    def run(self, place: Place, *, steps: int, seed: int, fresh: bool = False) -> None:
        """Langevin dynamics of all atoms; from fresh velocities if asked for, or without any."""

    def drag(self, place: Place, pull: Dragged, *, steps: int, seed: int) -> Array:
        """Drag atoms, `steps` steps in each stage; the work (n,) of the restraints in kJ/mol."""


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

    def run(self, place: Place, *, steps: int, seed: int, fresh: bool = False) -> None:
        """See `Engine`."""
        langevin(
            *place,
            steps=steps,
            timestep=self.timestep,
            friction=self.friction,
            seed=seed,
            fresh=fresh,
        )

    def drag(self, place: Place, pull: Dragged, *, steps: int, seed: int) -> Array:
        """See `Engine`."""
        return drag(
            *place,
            pull.path,
            pull.atoms,
            steps=steps,
            stiffness=pull.stiffness,
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
        gmx = self._stretches.gmx
        return {"name": "gromacs", "version": gmx.version, "simd": gmx.simd}

    def stages(self, time_ps: float, turn: float) -> tuple[int, int]:
        """See `Engine`."""
        count = max(1, math.ceil(turn / TURN))
        return count, max(1, round(time_ps / (count * self.timestep)))

    def run(self, place: Place, *, steps: int, seed: int, fresh: bool = False) -> None:
        """See `Engine`."""
        moment = self._moment(place, fresh)
        reached = self._stretches(
            moment,
            steps=steps,
            temperature=place.kelvin,
            friction=self.friction,
            seed=seed,
            constant_pressure=place.thermodynamic_state.pressure is not None,
        )
        _put(place.sampler_state, reached)

    def drag(self, place: Place, pull: Dragged, *, steps: int, seed: int) -> Array:
        """See `Engine`."""
        moment, atoms = self._moment(place, fresh=False), pull.atoms
        present, work = moment.positions[atoms], np.zeros(len(atoms))
        # the restraints begin at the present pose, where their energy is 0
        for number, following in enumerate(pull.path):
            moment, done = self._stretches.dragged(
                moment,
                Pull(atoms, present, following, pull.stiffness),
                steps=steps,
                temperature=place.kelvin,
                friction=FRICTION,
                seed=seed + number,
            )
            work, present = work + done, following
        away = nearest(moment.positions[atoms] - present, moment.box)
        _put(place.sampler_state, moment)
        return np.asarray(work - pull.stiffness / 2 * (away**2).sum(axis=1))

    def _moment(self, place: Place, fresh: bool) -> Moment:
        if not self._own.is_state_compatible(place.thermodynamic_state):
            raise InputError(
                "the thermodynamic state has another System than the jump, and GROMACS has that "
                "of the jump only; take thermodynamic_state() of the move, or engine: openmm"
            )
        sampler_state = place.sampler_state
        velocities = None if fresh else sampler_state.velocities
        periodic = self._stretches.setup.periodic
        return Moment(
            nanometers(sampler_state.positions),
            None if velocities is None else np.asarray(velocities.value_in_unit(_VELOCITY)),
            nanometers(sampler_state.box_vectors) if periodic else None,
        )


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
