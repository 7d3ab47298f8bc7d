"""Energy minimisation of a prepared complex."""

from __future__ import annotations

import numpy as np
import openmm
from openmm import app, unit

from ..errors import InputError, one_line
from ..utils.platforms import minimise_energy, new_context

CUTOFF = 1.2  # nm, while minimising a System that has none
STIFFNESS = 1000.0  # kJ/mol/nm², holds heavy atoms of the solute in the first stage
ITERATIONS = (250, 150)  # of the stages; implicit solvent, in the second, is what costs
DIELECTRIC = 78.3  # beyond the cutoff in a box of water, while minimising
_LONG_RANGED = tuple(getattr(openmm.NonbondedForce, name) for name in ("Ewald", "PME", "LJPME"))
_SOLVENTS = (openmm.GBSAOBCForce, openmm.CustomGBForce)


def minimise(
    system: openmm.System, topology: app.Topology, positions: np.ndarray, platform: str | None
) -> np.ndarray:
    """Positions (N, 3) in nm of lower energy.

    First the heavy atoms of the solute are held, and there is no implicit solvent, while hydrogens
    and water find their places; then everything moves.  Without a cutoff in the System, forces are
    cut at 1.2 nm here, and Ewald sums become a reaction field beyond their cutoff, which is faster:
    what is sought is a sound start, not the lowest energy.  Constraints are
    left to their force terms (with them, OpenMM's minimiser starts over again and again) and
    enforced at the end.

    Raises
    ------
    InputError
        The energy at the start is not a number.
    """
    held, free = _short_ranged(system), _short_ranged(system)
    for index in reversed(range(held.getNumForces())):
        if isinstance(held.getForce(index), _SOLVENTS):
            held.removeForce(index)
    _hold(held, topology, positions)
    for stage, iterations in zip((held, free), ITERATIONS, strict=True):
        for index in reversed(range(stage.getNumConstraints())):
            stage.removeConstraint(index)
        positions = _descend(stage, positions, iterations, platform)
    context = make_context(system, positions, platform)
    context.applyConstraints(1e-6)
    return _positions(context)


def with_cutoff(system: openmm.System, cutoff: float = CUTOFF) -> openmm.System:
    """A copy whose forces without a cutoff have one, in nm; the reaction field has dielectric 1."""
    copy = openmm.XmlSerializer.clone(system)
    for force in copy.getForces():
        if not isinstance(force, (openmm.NonbondedForce, *_SOLVENTS)):
            continue
        if force.getNonbondedMethod() == type(force).NoCutoff:
            force.setNonbondedMethod(type(force).CutoffNonPeriodic)
            force.setCutoffDistance(cutoff)
            if isinstance(force, openmm.NonbondedForce):
                force.setReactionFieldDielectric(1.0)
    return copy


def _short_ranged(system: openmm.System) -> openmm.System:
    """A copy without forces beyond a cutoff, but for a reaction field in place of Ewald sums."""
    copy = with_cutoff(system)
    for force in copy.getForces():
        if isinstance(force, openmm.NonbondedForce) and force.getNonbondedMethod() in _LONG_RANGED:
            force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
            force.setReactionFieldDielectric(DIELECTRIC)
            force.setUseDispersionCorrection(False)
    return copy


def make_context(
    system: openmm.System, positions: np.ndarray, platform: str | None = None
) -> openmm.Context:
    """A Context at these positions; its integrator is never used."""
    integrator = openmm.VerletIntegrator(0.001)
    context = new_context(system, integrator, platform)
    context.setPositions(positions)
    return context


def _descend(
    system: openmm.System, positions: np.ndarray, iterations: int, platform: str | None
) -> np.ndarray:
    context = make_context(system, positions, platform)
    try:
        minimise_energy(context, 10.0, iterations)
    except openmm.OpenMMException as error:
        raise InputError(
            f"minimisation failed, atoms may lie upon each other: {one_line(error)}"
        ) from error
    return _positions(context)


def _positions(context: openmm.Context) -> np.ndarray:
    positions = context.getState(positions=True).getPositions(asNumpy=True)
    return np.asarray(positions.value_in_unit(unit.nanometer), dtype=np.float64)


def _hold(system: openmm.System, topology: app.Topology, positions: np.ndarray) -> None:
    force = openmm.CustomExternalForce("0.5*stiffness*((x-x0)^2+(y-y0)^2+(z-z0)^2)")
    force.addGlobalParameter("stiffness", STIFFNESS)
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    for atom in topology.atoms():
        heavy = atom.element is not None and atom.element.symbol != "H"
        if heavy and atom.residue.name != "HOH":
            force.addParticle(atom.index, positions[atom.index])
    system.addForce(force)
