"""Part of a System: the terms that act on what moves, of the forces that can be taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import openmm

from ..errors import InputError
from .selection import Selection


@dataclass(frozen=True)
class Term:
    """Name of a bonded force's terms in OpenMM, and the places of a term's particles."""

    kind: str
    first: int
    atoms: int


BONDED = {
    openmm.HarmonicBondForce: Term("Bond", 0, 2),
    openmm.HarmonicAngleForce: Term("Angle", 0, 3),
    openmm.PeriodicTorsionForce: Term("Torsion", 0, 4),
    openmm.RBTorsionForce: Term("Torsion", 0, 4),
    openmm.CMAPTorsionForce: Term("Torsion", 1, 8),
}
IMPLICIT_SOLVENTS = (openmm.GBSAOBCForce, openmm.CustomGBForce)
COUPLINGS = (
    openmm.MonteCarloBarostat,
    openmm.MonteCarloAnisotropicBarostat,
    openmm.MonteCarloMembraneBarostat,
    openmm.AndersenThermostat,
)
_LEFT_OUT = (*IMPLICIT_SOLVENTS, *COUPLINGS, openmm.CMMotionRemover, openmm.NonbondedForce)


def bonded_part(
    system: openmm.System, selection: Selection, whole: np.ndarray | None = None
) -> openmm.System:
    """System of the selected particles, with every bonded term that moves one of them.

    What does not move has mass 0.  Nonbonded forces are the caller's affair; implicit solvent,
    barostats and the like are left out.

    Parameters
    ----------
    system : System
    selection : Selection
    whole : (K,) bool, optional
        Of these all terms and constraints are kept: so every molecule of water is like the
        others, which GROMACS wants.

    Raises
    ------
    InputError
        A force that cannot be taken apart, a virtual site, or a term that reaches beyond what is
        kept.
    """
    part = openmm.System()
    for particle, moves in zip(selection.particles.tolist(), selection.moving, strict=True):
        if system.isVirtualSite(particle):
            raise InputError(
                f"particle {particle} is a virtual site, which a reduced run cannot carry; "
                "use mode flexible"
            )
        part.addParticle(system.getParticleMass(particle) if moves else 0.0)
    place = selection.places(system.getNumParticles())
    wanted = selection.moving if whole is None else selection.moving | whole
    for force in system.getForces():
        if type(force) in BONDED:
            part.addForce(terms_on(force, place, wanted))
        elif not isinstance(force, _LEFT_OUT):
            raise InputError(
                f"system.xml holds a {type(force).__name__}, which a reduced run cannot carry; "
                "use mode flexible"
            )
    for n in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(n)
        a, b = place[i], place[j]
        if a >= 0 and b >= 0 and wanted[[a, b]].all():
            part.addConstraint(int(a), int(b), length)
    return part


def terms_on(force: Any, place: np.ndarray, wanted: np.ndarray) -> Any:
    """A bonded force with those terms of another one that act on a wanted particle.

    Parameters
    ----------
    force : one of `BONDED`
    place : (N,) int64
        New index of each particle, -1 if it is dropped.
    wanted : (K,) bool
        By new index.

    Raises
    ------
    InputError
        A term on wanted particles and dropped ones.
    """
    term, part = BONDED[type(force)], type(force)()
    if isinstance(force, openmm.CMAPTorsionForce):
        for n in range(force.getNumMaps()):
            part.addMap(*force.getMapParameters(n))
    add = getattr(part, f"add{term.kind}")
    read = getattr(force, f"get{term.kind}Parameters")
    for n in range(getattr(force, f"getNum{term.kind}s")()):
        values = list(read(n))
        span = slice(term.first, term.first + term.atoms)
        members = place[values[span]]
        present = members[members >= 0]
        if not wanted[present].any():
            continue
        if len(present) < term.atoms:
            raise InputError(
                f"a {term.kind.lower()} between particles {values[span]} leaves what is kept: is "
                "their bond missing in topology.pdb? prepare the complex again"
            )
        values[span] = members.tolist()
        add(*values)
    return part


def nonbonded_force(system: openmm.System) -> openmm.NonbondedForce:
    """The NonbondedForce of a System.

    Raises
    ------
    InputError
        There is none, there are several, or its parameters depend on global ones.
    """
    forces = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    if len(forces) != 1:
        raise InputError(
            f"system.xml holds {len(forces)} NonbondedForces; a reduced run needs exactly one: "
            "use mode flexible"
        )
    force = forces[0]
    if force.getNumParticleParameterOffsets() or force.getNumExceptionParameterOffsets():
        raise InputError("nonbonded parameters with offsets are for mode flexible only")
    return force


def nonbonded_parameters(force: openmm.NonbondedForce, particles: np.ndarray) -> np.ndarray:
    """Parameters (K, 3) float64: charge in e, σ in nm, ε in kJ/mol."""
    rows = [force.getParticleParameters(int(i)) for i in particles]
    return np.array([[value._value for value in row] for row in rows])


def exceptions(
    force: openmm.NonbondedForce, place: np.ndarray
) -> Iterator[tuple[int, int, float, float, float]]:
    """Exceptions between selected particles: indices, charge product, σ, ε."""
    for n in range(force.getNumExceptions()):
        i, j, product, sigma, epsilon = force.getExceptionParameters(n)
        if place[i] >= 0 and place[j] >= 0:
            yield int(place[i]), int(place[j]), product._value, sigma._value, epsilon._value


def nonbonded_part(
    force: openmm.NonbondedForce, selection: Selection, cutoff: float | None
) -> openmm.NonbondedForce:
    """Nonbonded interactions of selected particles, with a reaction field beyond `cutoff` nm."""
    part = openmm.NonbondedForce()
    for row in nonbonded_parameters(force, selection.particles):
        part.addParticle(*row)
    for exception in exceptions(force, selection.places(force.getNumParticles())):
        part.addException(*exception)
    part.setUseDispersionCorrection(False)
    part.setNonbondedMethod(openmm.NonbondedForce.NoCutoff)
    if cutoff is not None:
        part.setNonbondedMethod(openmm.NonbondedForce.CutoffNonPeriodic)
        part.setCutoffDistance(cutoff)
    return part
