"""The embedding 'neuralmd': an energy model in the place of what it has learned, and no more.

The labels of an energy model are the ligand's energy with itself and with the residues around it.
So these terms of the force field go, and all others stay:

    E = E_MM − E_MM(ligand) − E_MM(ligand × residues around it) + E_model

OpenMM-ML's mechanical embedding would keep the second difference, and count it twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import openmm

from openmm_neuralmd import Complex, InputError
from openmm_neuralmd.md.subsystem import (
    BONDED,
    COUPLINGS,
    IMPLICIT_SOLVENTS,
    Term,
    terms_on,
)

LAMBDA = "lambda_interpolate"
PAIRWISE = (openmm.NonbondedForce, openmm.CustomNonbondedForce)
RESTRAINTS = {
    openmm.CustomBondForce: Term("Bond", 0, 2),
    openmm.CustomAngleForce: Term("Angle", 0, 3),
    openmm.CustomTorsionForce: Term("Torsion", 0, 4),
}
"""Forces that are restraints, as a rule, and that some force fields have bonded terms in."""
_UNTOUCHED = (
    *IMPLICIT_SOLVENTS,
    *COUPLINGS,
    *RESTRAINTS,
    openmm.CMMotionRemover,
    openmm.CustomExternalForce,
    openmm.CustomCompoundBondForce,
    openmm.CustomCentroidBondForce,
    openmm.CustomCVForce,
    openmm.RMSDForce,
)


def check_system(system: openmm.System, complex: Complex, interpolate: bool) -> None:
    """Refuse a System whose terms on the ligand cannot be told from the others.

    Raises
    ------
    InputError
    """
    own = set(complex.ligand.tolist())
    if system.getNumParticles() != len(complex.positions):
        raise InputError(
            f"the System has {system.getNumParticles()} particles, the topology "
            f"{len(complex.positions)} atoms; give the topology that it was made of"
        )
    for force in system.getForces():
        if not isinstance(force, (*BONDED, *PAIRWISE, *_UNTOUCHED)):
            raise InputError(
                f"the System holds a {type(force).__name__}, out of which the ligand cannot be "
                "taken; a mixed System is made of a force field like Amber's"
            )
        if type(force) in RESTRAINTS and _acts_within(force, own):
            raise InputError(
                f"a {type(force).__name__} acts within the ligand: as a term of the force field it "
                "cannot be replaced, and a restraint is to be added to the mixed System"
            )
    for i, j in _joined(system):
        if (i in own) != (j in own):
            raise InputError(
                f"the System ties particles {i} and {j}, the ML region and something else, by a "
                "constraint or an exception: is the ligand covalently bound? that is not supported"
            )
    if interpolate:
        _check_bonds(system, own)


def _acts_within(force: Any, own: set[int]) -> bool:
    term = RESTRAINTS[type(force)]
    read = getattr(force, f"get{term.kind}Parameters")
    rows = range(getattr(force, f"getNum{term.kind}s")())
    return any(own.issuperset(read(n)[term.first : term.first + term.atoms]) for n in rows)


def _joined(system: openmm.System) -> Iterator[tuple[int, int]]:
    for n in range(system.getNumConstraints()):
        i, j, _ = system.getConstraintParameters(n)
        yield i, j
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            for n in range(force.getNumExceptions()):
                i, j, *_ = force.getExceptionParameters(n)
                yield i, j


def _check_bonds(system: openmm.System, own: set[int]) -> None:
    """The ligand's constraints go; at λ = 0 its bonds need a term to hold them."""
    bonds = {
        frozenset(force.getBondParameters(n)[:2])
        for force in system.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for n in range(force.getNumBonds())
    }
    for n in range(system.getNumConstraints()):
        i, j, _ = system.getConstraintParameters(n)
        if i in own and frozenset((i, j)) not in bonds:
            raise InputError(
                f"the ligand's bond between particles {i} and {j} is constrained and has no energy "
                "in the force field, so nothing holds it at lambda_interpolate = 0; make the "
                "System with flexibleConstraints=True"
            )


def mixed_system(
    system: openmm.System,
    complex: Complex,
    force: openmm.Force,
    replaced: np.ndarray,
    interpolate: bool,
) -> openmm.System:
    """A System with the model in the place of what it has learned.

    Parameters
    ----------
    system : System
        Of the force field; not changed.
    complex : Complex
    force : Force
        The model's.
    replaced : (P,) int64
        Particles whose interaction with the ligand the model has learned.
    interpolate : bool
        Have the global parameter `lambda_interpolate`: 0 is the force field, 1 (its default) the
        mixed System, and the energy is linear between them.
    """
    ligand, periodic = complex.ligand.tolist(), system.usesPeriodicBoundaryConditions()
    mixed, inside = without_terms(system, complex.ligand)
    for pairs in _pairwise(mixed):
        _exclude(pairs, ligand, replaced.tolist(), periodic)
    if not interpolate:
        mixed.addForce(force)
        return mixed
    # In Contexts of their own: forces of one Context have to have the same exclusions.
    learned = weighted(LAMBDA, [force])
    learned.setForceGroup(force.getForceGroup())
    conventional = weighted(f"(1-{LAMBDA})", [*map(_copy, _pairwise(system)), *inside])
    rest = weighted(LAMBDA, [_copy(pairs) for pairs in _pairwise(mixed)])
    _remove(mixed, PAIRWISE)
    for term in (learned, rest, conventional):
        mixed.addForce(term)
    return mixed


def without_terms(
    system: openmm.System, ligand: np.ndarray
) -> tuple[openmm.System, list[openmm.Force]]:
    """A copy of a System without the ligand's bonded terms, and forces with those terms."""
    every = np.arange(system.getNumParticles())
    own = np.isin(every, ligand)
    rest = _copy(system)
    inside: list[openmm.Force] = []
    _remove(rest, tuple(BONDED))
    for force in system.getForces():
        if type(force) in BONDED:
            for wanted, add in ((own, inside.append), (~own, rest.addForce)):
                part = terms_on(force, every, wanted)
                part.setName(force.getName())
                part.setForceGroup(force.getForceGroup())
                part.setUsesPeriodicBoundaryConditions(force.usesPeriodicBoundaryConditions())
                add(part)
    return rest, inside


def weighted(weight: str, forces: list[openmm.Force]) -> openmm.CustomCVForce:
    """The sum of some forces times an expression of `lambda_interpolate`."""
    names = [f"term{n}" for n in range(len(forces))]
    total = openmm.CustomCVForce(f"{weight}*({'+'.join(names) or '0'})")
    total.addGlobalParameter(LAMBDA, 1.0)
    for name, force in zip(names, forces, strict=True):
        total.addCollectiveVariable(name, force)
    return total


def _pairwise(system: openmm.System) -> list[Any]:
    return [force for force in system.getForces() if isinstance(force, PAIRWISE)]


def _copy(original: Any) -> Any:
    return openmm.XmlSerializer.clone(original)


def _remove(system: openmm.System, kinds: tuple[type, ...]) -> None:
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), kinds):
            system.removeForce(index)


def _exclude(force: Any, ligand: list[int], replaced: list[int], periodic: bool) -> None:
    """Take the pairs within the ligand, and those of ligand and replaced particles, out."""
    pairs = [*itertools.combinations(ligand, 2), *itertools.product(ligand, replaced)]
    if isinstance(force, openmm.NonbondedForce):
        for i, j in pairs:
            force.addException(i, j, 0.0, 1.0, 0.0, True)
        # Ewald sums hold every pair; what is taken out of them is the nearest image.
        force.setExceptionsUsePeriodicBoundaryConditions(periodic)
        return
    rows = range(force.getNumExclusions())
    present = {frozenset(force.getExclusionParticles(n)) for n in rows}
    for pair in pairs:
        if frozenset(pair) not in present:
            force.addExclusion(*pair)
