"""The ligand's own bonded terms, out of the System of a complex: see `dynamics.terms`."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
import torch
from openmm import unit

from ..dynamics.bonded_terms import BondedTerms, Counts
from ..errors import InputError
from ..structure.complex import Complex
from ..units import ANGSTROM_PER_NM
from .interaction import COULOMB, PAIR_PARAMETERS
from .masses import with_bonds
from .subsystem import BONDED

THREE = 3
"""Bonds between two atoms whose interaction counts as bonded."""
_PER_SQUARE_ANGSTROM = unit.kilojoule_per_mole / unit.angstrom**2
_PER_SQUARE_RADIAN = unit.kilojoule_per_mole / unit.radian**2


def _bond(i: int, j: int, length: Any, k: Any) -> tuple[list[int], list[float]]:
    return [i, j], [length.value_in_unit(unit.angstrom), k.value_in_unit(_PER_SQUARE_ANGSTROM)]


def _angle(i: int, j: int, k: int, angle: Any, stiff: Any) -> tuple[list[int], list[float]]:
    values = [angle.value_in_unit(unit.radian), stiff.value_in_unit(_PER_SQUARE_RADIAN)]
    return [i, j, k], values


def _torsion(i: int, j: int, k: int, m: int, *rest: Any) -> tuple[list[int], list[float]]:
    periodicity, phase, barrier = rest
    height = barrier.value_in_unit(unit.kilojoule_per_mole)
    return [i, j, k, m], [float(periodicity), phase.value_in_unit(unit.radian), height]


READ: dict[type, tuple[str, Any]] = {
    openmm.HarmonicBondForce: ("bond", _bond),
    openmm.HarmonicAngleForce: ("angle", _angle),
    openmm.PeriodicTorsionForce: ("torsion", _torsion),
}
"""Forces whose terms are taken: what the terms are called, and how one is read."""


def ligand_terms(system: openmm.System, complex: Complex) -> BondedTerms:
    """Bonds, angles, torsions and 1–4 interactions of the ligand, in double precision.

    Parameters
    ----------
    system : System
        Of a run of mode rigid, which has the pairs within the ligand one by one.
    complex : Complex

    Raises
    ------
    InputError
        A bonded term of another form acts on the ligand, or one joins it to something else.
    """
    place = np.full(system.getNumParticles(), -1)
    place[complex.ligand] = np.arange(len(complex.ligand))
    by_kind: dict[str, list[tuple[list[int], list[float]]]] = {
        name: [] for name in ("bond", "angle", "torsion", "pair")
    }
    whole = with_bonds(system)  # has to outlive its forces
    for force in whole.getForces():
        if type(force) not in BONDED:
            continue
        for atoms, values in _rows(force, place):
            if type(force) not in READ:
                raise InputError(
                    f"the ligand has a term of {type(force).__name__}, which an energy model "
                    "cannot carry; train it without bonded terms"
                )
            name, read = READ[type(force)]
            by_kind[name].append(read(*atoms, *values))
    bonds = np.array([atoms for atoms, _ in by_kind["bond"]]).reshape(-1, 2)
    by_kind["pair"] = [row for row in _pairs(system, place) if _apart(bonds, *row[0]) == THREE]
    terms = BondedTerms(Counts(*map(len, by_kind.values()))).double()
    for name, rows in by_kind.items():
        if rows:
            getattr(terms, f"{name}_atoms").copy_(torch.tensor([row[0] for row in rows]))
            parameters = torch.tensor([row[1] for row in rows], dtype=torch.float64)
            getattr(terms, f"{name}_terms").copy_(parameters)
    return terms


def _rows(force: Any, place: np.ndarray) -> list[tuple[list[int], list[Any]]]:
    """Atoms, local to the ligand, and values of every term that acts on it."""
    term, rows = BONDED[type(force)], []
    read = getattr(force, f"get{term.kind}Parameters")
    for n in range(getattr(force, f"getNum{term.kind}s")()):
        values = list(read(n))
        span = slice(term.first, term.first + term.atoms)
        atoms = place[values[span]]
        if (atoms < 0).all():
            continue
        if (atoms < 0).any():
            raise InputError(
                f"a {term.kind.lower()} joins particles {values[span]}, ligand and other atoms: is "
                "the ligand covalently bound?"
            )
        del values[span]
        rows.append((atoms.tolist(), values))
    return rows


def _pairs(system: openmm.System, place: np.ndarray) -> list[tuple[list[int], list[float]]]:
    """Nonbonded pairs within the ligand, those of `interaction.intraligand_force`."""
    rows = []
    for force in system.getForces():
        if not isinstance(force, openmm.CustomBondForce):
            continue
        names = [force.getPerBondParameterName(k) for k in range(force.getNumPerBondParameters())]
        if tuple(names) != PAIR_PARAMETERS:
            continue
        for n in range(force.getNumBonds()):
            i, j, (product, sigma, epsilon) = force.getBondParameters(n)
            values = [ANGSTROM_PER_NM * COULOMB * product, ANGSTROM_PER_NM * sigma, epsilon]
            rows.append(([int(place[i]), int(place[j])], values))
    return rows


def _apart(bonds: np.ndarray, i: int, j: int) -> int:
    """Bonds from atom i to atom j, no more than three looked for; 4 if it is farther."""
    reached = {i}
    for steps in range(1, THREE + 1):
        near = bonds[np.isin(bonds, list(reached)).any(axis=1)]
        reached |= set(near.ravel().tolist())
        if j in reached:
            return steps
    return THREE + 1
