"""Nonbonded forces on a ligand in a fixed protein: within the ligand, and by the protein.

The protein's interactions with itself are constants, and are not computed.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import openmm

from ..errors import InputError
from .selection import Selection
from .subsystem import exceptions, nonbonded_parameters

# CODATA 2018, as in OpenMM.
_E, _AVOGADRO, _EPSILON0 = 1.602176634e-19, 6.02214076e23, 8.8541878128e-12
COULOMB = 1e6 * _E**2 * _AVOGADRO / (4 * math.pi * _EPSILON0)
"""1/(4πε₀) in kJ mol⁻¹ nm e⁻²."""

PAIR_PARAMETERS = ("product", "sigma", "epsilon")
_LENNARD_JONES = "4*epsilon*((sigma/r)^12-(sigma/r)^6)"
# Roots and halves are taken once for each particle, not for each pair at each step.
_MIXED = "depth1*depth2*x*(x-1); x=(s/r)^6; s=radius1+radius2"
ELECTROSTATICS = {
    "vacuum": (COULOMB, "charge1*charge2/r"),
    "4r": (COULOMB / 40, "charge1*charge2/r^2"),
}
"""By dielectric: factor and energy; '4r' is four times the distance in Å, 40 times that in nm."""


def energy_expression(dielectric: str) -> str:
    """Energy of a pair, as OpenMM reads it."""
    return f"{ELECTROSTATICS[dielectric][1]}+{_MIXED}"


def dielectric_of(force: openmm.CustomNonbondedForce) -> str:
    """Return which of `ELECTROSTATICS` an `interaction_force` has."""
    expression = force.getEnergyFunction()
    return next(name for name in ELECTROSTATICS if energy_expression(name) == expression)


def intraligand_force(
    force: openmm.NonbondedForce, selection: Selection, ligand: np.ndarray
) -> openmm.CustomBondForce:
    """Every pair within the ligand, in vacuum, as NonbondedForce without a cutoff has it.

    Parameters
    ----------
    force : NonbondedForce
        Of the whole System.
    selection : Selection
    ligand : (L,) int64
        Particle indices in the whole System.
    """
    pairs = openmm.CustomBondForce(f"{COULOMB!r}*product/r+{_LENNARD_JONES}")
    for name in PAIR_PARAMETERS:
        pairs.addPerBondParameter(name)
    place = selection.places(force.getNumParticles())
    special = {frozenset(exception[:2]): exception[2:] for exception in exceptions(force, place)}
    rows = dict(zip(place[ligand].tolist(), nonbonded_parameters(force, ligand), strict=True))
    for (i, a), (j, b) in itertools.combinations(rows.items(), 2):
        ordinary = (a[0] * b[0], 0.5 * (a[1] + b[1]), math.sqrt(a[2] * b[2]))
        product, sigma, epsilon = special.get(frozenset((i, j)), ordinary)
        if product or epsilon:
            pairs.addBond(i, j, [product, sigma, epsilon])
    return pairs


def interaction_force(
    force: openmm.NonbondedForce, selection: Selection, ligand: np.ndarray, dielectric: str
) -> openmm.CustomNonbondedForce:
    """Every pair of ligand and protein, without a cutoff; parameters as `intraligand_force`.

    Raises
    ------
    InputError
        An exception between the two, as of a covalent ligand.
    """
    factor, _ = ELECTROSTATICS[dielectric]
    pairs = openmm.CustomNonbondedForce(energy_expression(dielectric))
    for name in ("charge", "radius", "depth"):
        pairs.addPerParticleParameter(name)
    for charge, sigma, epsilon in nonbonded_parameters(force, selection.particles):
        pairs.addParticle([math.sqrt(factor) * charge, sigma / 2, 2 * math.sqrt(epsilon)])
    place = selection.places(force.getNumParticles())
    own = set(place[ligand].tolist())
    for i, j, *_ in exceptions(force, place):
        if (i in own) != (j in own):
            raise InputError(
                "ligand and protein share an exception of the NonbondedForce: is the ligand "
                "covalently bound? use mode flexible"
            )
    pairs.addInteractionGroup(own, set(range(len(selection.particles))) - own)
    return pairs
