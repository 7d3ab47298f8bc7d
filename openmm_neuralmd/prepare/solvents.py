"""The System of a complex in vacuum, implicit or explicit solvent.

Hydrogens' bonds and water are constrained, and the force terms of what is constrained are kept
(`flexibleConstraints`): a program that needs every term, such as an export to GROMACS, has but to
remove the constraints.  Masses are those of the elements: repartitioning is the run's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import openmm
from openmm import app, unit
from openmm.app.internal.customgbforces import GBSAOBC2Force

from ..errors import InputError

PADDING = 1.0  # nm of water on every side, at least
CUTOFF = 0.9  # nm, explicit solvent
SALT = 0.15  # mol/l
DIELECTRIC = 78.5  # Amber's and implicit/obc2.xml's; the native force has 78.3 by default


@dataclass(frozen=True)
class Solvent:
    """A choice of surroundings.

    Attributes
    ----------
    name, description : str
    files : ForceField files of its own.
    explicit : bool
        Water molecules in a periodic box.
    native : bool
        Add GBSAOBCForce: the same OBC2 as implicit/obc2.xml, 5 to 8 times faster on the CPU.
    """

    name: str
    description: str
    files: tuple[str, ...] = ()
    explicit: bool = False
    native: bool = False


SOLVENTS = {
    solvent.name: solvent
    for solvent in (
        Solvent("vacuum", "none"),
        Solvent("obc2", "implicit, GBSA-OBC2 (native force)", native=True),
        Solvent("gbn2", "implicit, GB-Neck2", files=("implicit/gbn2.xml",)),
        Solvent("explicit", "TIP3P, 0.15 mol/l NaCl, PME 0.9 nm", explicit=True),
    )
}


def choose_solvent(name: str) -> Solvent:
    """A solvent by name.

    Raises
    ------
    InputError
    """
    if name not in SOLVENTS:
        raise InputError(f"unknown solvent {name!r}; known: {', '.join(SOLVENTS)}")
    return SOLVENTS[name]


def add_water(modeller: app.Modeller, forcefield: app.ForceField, padding: float = PADDING) -> None:
    """A rhombic dodecahedron of water around the complex, neutral, with salt; padding in nm."""
    modeller.addSolvent(
        forcefield,
        model="tip3p",
        boxShape="dodecahedron",
        padding=padding * unit.nanometer,
        ionicStrength=SALT * unit.molar,
        neutralize=True,
    )


def build_system(
    forcefield: app.ForceField, topology: app.Topology, solvent: Solvent
) -> openmm.System:
    """All parameters of the complex; without a cutoff unless the solvent is explicit."""
    method: dict[str, Any] = {"nonbondedMethod": app.NoCutoff}
    if solvent.explicit:
        method = {"nonbondedMethod": app.PME, "nonbondedCutoff": CUTOFF * unit.nanometer}
    system = forcefield.createSystem(
        topology, constraints=app.HBonds, rigidWater=True, flexibleConstraints=True, **method
    )
    if solvent.native:
        system.addForce(_obc2(system, topology))
    return system


def _obc2(system: openmm.System, topology: app.Topology) -> openmm.GBSAOBCForce:
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    nonbonded.setReactionFieldDielectric(1.0)  # for whoever sets a cutoff: the solvent is the GB's
    force = openmm.GBSAOBCForce()
    for i, (radius, scale) in enumerate(GBSAOBC2Force.getStandardParameters(topology)):
        charge = nonbonded.getParticleParameters(i)[0]
        force.addParticle(charge, radius, scale)
    force.setSolventDielectric(DIELECTRIC)
    force.setNonbondedMethod(openmm.GBSAOBCForce.NoCutoff)
    return force
