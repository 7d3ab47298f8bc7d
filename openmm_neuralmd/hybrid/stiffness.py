"""Stiffness of a ligand in its pocket as the metric of Monte Carlo moves.

The metric decides how well a move proposes and never what it samples, so that it may come from a
network, from class constants or from a guess.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openmm
from numpy.typing import ArrayLike, NDArray
from openmm import unit

from ..errors import InputError

Array = NDArray[np.float64]

BONDED = (
    openmm.HarmonicBondForce,
    openmm.HarmonicAngleForce,
    openmm.PeriodicTorsionForce,
    openmm.RBTorsionForce,
)
STEP = 1e-4  # nm, of the central differences
ANCHOR = 500.0
"""kJ/mol/nm², isotropic: about 2 kT/Å², for atoms that nothing else holds."""


def metric(
    system: openmm.System,
    atoms: Sequence[int],
    positions: ArrayLike,
    *,
    learned: ArrayLike | None = None,
    learned_atoms: Sequence[int] = (),
    anchor: float = ANCHOR,
) -> Array:
    """Stiffness (3k, 3k) in kJ/mol/nm² of k atoms: bonded terms, learned springs and an anchor.

    Parameters
    ----------
    system : System
        Source of the bonded terms.
    atoms : sequence of int
        The k particles that move.
    positions : (N, 3) float64, nm
        The pose at which bonded terms are linearised.
    learned : (3m, 3m), kJ/mol/nm², optional
        Learned stiffness of `learned_atoms`, usually the ligand's heavy atoms.
    learned_atoms : sequence of int
        Particle indices; all of them among `atoms`.
    anchor : float
        kJ/mol/nm²; isotropic stiffness of every atom.

    Raises
    ------
    InputError
        The learned stiffness does not fit the atoms.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import metric
    >>> stiffness = metric(folder.system(), folder.complex().ligand, folder.positions)
    >>> stiffness.shape  # 18 atoms of p-xylene
    (54, 54)
    """
    total = bonded_stiffness(system, atoms, positions)
    total += anchor * np.eye(len(total))
    if learned is not None:
        matrix = np.asarray(learned, dtype=np.float64)
        place = {atom: row for row, atom in enumerate(atoms)}
        if matrix.shape != (3 * len(learned_atoms),) * 2 or not set(learned_atoms) <= set(place):
            raise InputError(
                f"a stiffness of shape {matrix.shape} does not fit {len(learned_atoms)} atoms "
                "among those that move"
            )
        rows = (3 * np.array([place[a] for a in learned_atoms])[:, None] + np.arange(3)).ravel()
        total[np.ix_(rows, rows)] += matrix
    return total


def bonded_stiffness(system: openmm.System, atoms: Sequence[int], positions: ArrayLike) -> Array:
    """Hessian (3k, 3k) in kJ/mol/nm² of the bonded terms, without its negative part.

    By central differences of OpenMM's forces; a torsion on its barrier has a negative curvature,
    which is no use as a metric.
    """
    part = openmm.System()
    for _ in range(system.getNumParticles()):
        part.addParticle(1.0)
    for force in system.getForces():
        if isinstance(force, BONDED):
            part.addForce(openmm.XmlSerializer.clone(force))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(part, openmm.VerletIntegrator(0.001), platform)
    x, index = np.array(positions, dtype=np.float64), np.asarray(atoms)

    def forces(atom: int, axis: int, step: float) -> Array:
        moved = x.copy()
        moved[atom, axis] += step
        context.setPositions(moved)
        values = context.getState(forces=True).getForces(asNumpy=True)
        per_nm = unit.kilojoule_per_mole / unit.nanometer
        return np.asarray(values.value_in_unit(per_nm))[index].ravel()

    rows = [
        (forces(atom, axis, -STEP) - forces(atom, axis, STEP)) / (2.0 * STEP)
        for atom in index.tolist()
        for axis in range(3)
    ]
    hessian = np.array(rows)
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2.0)
    return (vectors * np.clip(values, 0.0, None)) @ vectors.T


def without_constraints(system: openmm.System, atoms: Sequence[int]) -> openmm.System:
    """A copy of a System whose constraints between some atoms are gone; their bond terms act.

    Raises
    ------
    InputError
        A constraint has no bond term beneath it: the bond would break.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import without_constraints
    >>> system = folder.system()
    >>> free = without_constraints(system, folder.complex().ligand)
    >>> system.getNumConstraints() - free.getNumConstraints()  # bonds to hydrogens of p-xylene
    10
    """
    copy, chosen = openmm.XmlSerializer.clone(system), set(atoms)
    bonds = {
        frozenset(force.getBondParameters(n)[:2])
        for force in copy.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for n in range(force.getNumBonds())
    }
    for n in reversed(range(copy.getNumConstraints())):
        i, j, _ = copy.getConstraintParameters(n)
        if i in chosen or j in chosen:
            if frozenset((i, j)) not in bonds:
                raise InputError(
                    f"the constraint between particles {i} and {j} has no bond term beneath it; "
                    "make the System with flexibleConstraints=True"
                )
            copy.removeConstraint(n)
    return copy
