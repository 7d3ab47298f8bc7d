"""Masses, constraints and degrees of freedom of a System."""

from __future__ import annotations

import numpy as np
import openmm
from openmm import app, unit

from ..errors import InputError
from ..structure.residues import WATER, describe

LIGHTEST = 1.5  # amu that a heavy atom may keep
BOND = 400_000.0  # kJ/mol/nm², as of bonds to hydrogen


def masses(system: openmm.System) -> np.ndarray:
    """Masses (N,) float64, amu."""
    every = range(system.getNumParticles())
    return np.array([system.getParticleMass(i).value_in_unit(unit.dalton) for i in every])


def repartition(system: openmm.System, topology: app.Topology, hydrogen_mass: float) -> None:
    """Repartition masses: every moving hydrogen gets this mass in amu from its heavy atom.

    The mass of a molecule, and so every average that depends on positions alone, stays.  Water,
    which is rigid, keeps its masses.

    Raises
    ------
    InputError
        A heavy atom would keep too little.
    """
    present = masses(system)
    for a, b in hydrogen_bonds(topology):
        hydrogen, heavy = a.index, b.index
        if present[heavy] == 0 or a.residue.name in WATER:
            continue
        present[heavy] -= hydrogen_mass - present[hydrogen]
        present[hydrogen] = hydrogen_mass
        if present[heavy] < LIGHTEST:
            raise InputError(
                f"{b.name} of {describe(b.residue)} would keep {present[heavy]:.2f} amu beside "
                f"hydrogens of {hydrogen_mass:g} amu; choose a smaller hydrogen mass"
            )
    for index, mass in enumerate(present):
        system.setParticleMass(index, mass)


def hydrogen_bonds(topology: app.Topology) -> list[tuple[app.topology.Atom, app.topology.Atom]]:
    """Pairs (hydrogen, heavy atom)."""
    pairs = []
    for a, b in topology.bonds():
        light = [atom.element is not None and atom.element.symbol == "H" for atom in (a, b)]
        if light == [True, False]:
            pairs.append((a, b))
        elif light == [False, True]:
            pairs.append((b, a))
    return pairs


def constrain_hydrogens(system: openmm.System, topology: app.Topology) -> int:
    """Fix the bonds to moving hydrogens that are not yet constrained; how many those were."""
    present = {
        frozenset(system.getConstraintParameters(n)[:2]) for n in range(system.getNumConstraints())
    }
    wanted = {frozenset((a.index, b.index)) for a, b in hydrogen_bonds(topology)} - present
    added = 0
    for force in system.getForces():
        if not isinstance(force, openmm.HarmonicBondForce):
            continue
        for n in range(force.getNumBonds()):
            i, j, length, _ = force.getBondParameters(n)
            pair = frozenset((i, j))
            if pair in wanted and system.getParticleMass(i)._value > 0:
                wanted.discard(pair)
                system.addConstraint(i, j, length)
                added += 1
    return added


def with_bonds(system: openmm.System) -> openmm.System:
    """A copy in which every constraint has a harmonic bond: for a minimiser without constraints.

    Systems that were built without `flexibleConstraints` have no force along what they constrain.
    """
    copy = openmm.XmlSerializer.clone(system)
    held = {
        frozenset(force.getBondParameters(n)[:2])
        for force in system.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for n in range(force.getNumBonds())
    }
    bonds = openmm.HarmonicBondForce()
    for n in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(n)
        if frozenset((i, j)) not in held:
            bonds.addBond(i, j, length, BOND)
    if bonds.getNumBonds():
        bonds.setUsesPeriodicBoundaryConditions(system.usesPeriodicBoundaryConditions())
        copy.addForce(bonds)
    return copy


def without_constraints(system: openmm.System) -> openmm.System:
    """A copy in which harmonic bonds stand for the constraints, see `with_bonds`."""
    copy = with_bonds(system)
    for index in reversed(range(copy.getNumConstraints())):
        copy.removeConstraint(index)
    return copy


def degrees_of_freedom(system: openmm.System) -> int:
    """Degrees of freedom of moving particles, without constraints and the centre of mass."""
    moving = masses(system) > 0
    constrained = sum(
        bool(moving[system.getConstraintParameters(n)[0]])
        for n in range(system.getNumConstraints())
    )
    centre = any(isinstance(force, openmm.CMMotionRemover) for force in system.getForces())
    return 3 * int(moving.sum()) - constrained - 3 * centre
