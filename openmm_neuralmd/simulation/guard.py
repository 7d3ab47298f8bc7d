"""Guard that stops a run with step, time and atom instead of a traceback from C++."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import openmm
from openmm import unit

from ..errors import SimulationError
from ..structure.complex import Complex
from ..structure.parts import nearest_alpha
from ..units import nanometers

POCKET_DISTANCE = 1.0
"""nm; a ligand with no heavy atom so near to any Cα has left the pocket."""

_FROM_MODULE = re.compile(r"NeuralMD particle (\d+): ([^\n]*)")
_NAN = re.compile(r"nan|not a number", re.IGNORECASE)


@contextmanager
def guard(context: openmm.Context | openmm.app.Simulation, complex: Complex) -> Iterator[None]:
    """Turn a force or coordinate that is not a number into a SimulationError that says where.

    Exceptions with another cause pass unchanged.
    """
    context = getattr(context, "context", context)
    try:
        yield
    except openmm.OpenMMException as error:
        reason = diagnose(context, complex, str(error))
        if reason is None:
            raise
        raise SimulationError(f"{when(context)}: {reason}") from error


def diagnose(context: openmm.Context, complex: Complex, message: str) -> str | None:
    """Explain an OpenMMException for this complex; None if it has another cause."""
    match = _FROM_MODULE.search(message)
    if match:
        return f"{atom_name(complex, int(match[1]))}: {match[2]}"
    if not _NAN.search(message):
        return None
    lost = lost_particle(context)
    if lost is None:
        return "a coordinate is not a number"
    return f"{atom_name(complex, lost)}: its position is not a number."


def lost_particle(context: openmm.Context) -> int | None:
    """Index of the first particle whose position is not a number."""
    state = context.getState(positions=True)
    positions = nanometers(state.getPositions(asNumpy=True))
    lost = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    return int(lost[0]) if len(lost) else None


def when(context: openmm.Context) -> str:
    """Step and time of a Context, for messages."""
    time = context.getTime().value_in_unit(unit.picosecond)
    return f"after step {context.getStepCount()} ({time:g} ps)"


def atom_name(complex: Complex, particle: int) -> str:
    """'atom C7 of LIG 301 (particle 4102)'."""
    atom = list(complex.topology.atoms())[particle]
    residue = atom.residue
    return f"atom {atom.name} of {residue.name} {residue.id} (particle {particle})"


def check_pocket(
    context: openmm.Context | openmm.app.Simulation,
    complex: Complex,
    limit: float = POCKET_DISTANCE,
) -> float:
    """Distance in nm from the ligand's heavy atoms to the nearest Cα.

    Raises
    ------
    SimulationError
        If a coordinate is not a number, or the distance is above `limit`: no residue is within
        the model's reach any more, and what it says there was never trained.
    """
    context = getattr(context, "context", context)
    state = context.getState(positions=True)
    positions = nanometers(state.getPositions(asNumpy=True))
    lost = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if len(lost):
        raise SimulationError(
            f"{when(context)}: {atom_name(complex, int(lost[0]))}: its position is not a number."
        )
    box = None
    if complex.box is not None:
        box = nanometers(state.getPeriodicBoxVectors(asNumpy=True))
    distance, particle = nearest_alpha(complex, positions, box)
    if distance > limit:
        raise SimulationError(
            f"{when(context)}: the ligand left the pocket: its nearest atom, "
            f"{atom_name(complex, particle)}, is {distance:.2f} nm from any CA (limit {limit:g} nm)"
        )
    return distance
