"""Energies of one set of coordinates, term by term, from GROMACS and from OpenMM."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openmm
from openmm import unit

from ..folder import potential_energy
from ..interaction import COULOMB
from ..modes import Setup
from ..subsystem import nonbonded_force, nonbonded_parameters
from .edr import read_edr
from .parameters import nonbonded, single_point, written
from .program import Gmx, find_gmx
from .topology import GRO, TOP, export

TERMS = ("bond", "angle", "torsion", "lennard_jones", "coulomb")
COULOMB_GROMACS = 138.935458
"""1/(4πε₀) in kJ mol⁻¹ nm e⁻² as GROMACS 2022 has it; OpenMM has 138.935456 (CODATA 2018)."""

_OF_GROMACS = {
    "Bond": "bond",
    "Angle": "angle",
    "Proper Dih.": "torsion",
    "Per. Imp. Dih.": "torsion",
    "Improper Dih.": "torsion",
    "Ryckaert-Bell.": "torsion",
    "CMAP Dih.": "torsion",
    "LJ-14": "lennard_jones",
    "LJ (SR)": "lennard_jones",
    "Disper. corr.": "lennard_jones",
    "Coulomb-14": "coulomb",
    "Coulomb (SR)": "coulomb",
    "Coul. recip.": "coulomb",
}
_OF_OPENMM = {
    openmm.HarmonicBondForce: "bond",
    openmm.HarmonicAngleForce: "angle",
    openmm.PeriodicTorsionForce: "torsion",
    openmm.RBTorsionForce: "torsion",
    openmm.CMAPTorsionForce: "torsion",
}


def gromacs_terms(setup: Setup, gmx: Gmx | None = None) -> dict[str, float]:
    """Energies in kJ/mol by term, at the setup's positions, by `gmx mdrun`.

    Raises
    ------
    InputError
        A force that GROMACS has no equivalent for.
    ProgramError
        gmx is missing or failed.

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings, build
    >>> from openmm_neuralmd.md.gromacs import gromacs_terms, openmm_terms
    >>> setup = build(folder, MDSettings())
    >>> there = gromacs_terms(setup)
    >>> here = openmm_terms(setup.system, setup.complex.positions, None, "CPU")
    >>> abs(there["bond"] - here["bond"]) < 0.1  # kJ/mol
    True
    """
    gmx = gmx or find_gmx()
    forces = nonbonded(nonbonded_force(setup.system), extent(setup.complex.positions))
    with TemporaryDirectory(prefix="neuralmd-gmx-") as name:
        folder = Path(name)
        export(setup, forces.cutoff, np.arange(setup.system.getNumParticles()), folder)
        (folder / "point.mdp").write_text(written(single_point(forces)))
        files = ("-f", "point.mdp", "-c", GRO, "-p", TOP, "-o", "point.tpr")
        gmx.run("grompp", *files, "-maxwarn", 9, folder=folder)
        gmx.run("mdrun", "-deffnm", "point", "-ntmpi", 1, "-ntomp", 1, "-nb", "cpu", folder=folder)
        energies = read_edr(folder / "point.edr")
    terms = dict.fromkeys(TERMS, 0.0)
    for title, term in _OF_GROMACS.items():
        if title in energies:
            terms[term] += float(energies[title][0])
    return terms


def openmm_terms(
    system: openmm.System, positions: np.ndarray, box: np.ndarray | None, platform: str
) -> dict[str, float]:
    """Energies in kJ/mol by term, at positions (N, 3) in nm.

    Examples
    --------
    >>> from openmm_neuralmd.md.gromacs import openmm_terms
    >>> terms = openmm_terms(folder.system(), folder.positions, None, "CPU")
    >>> sorted(terms)
    ['angle', 'bond', 'coulomb', 'lennard_jones', 'torsion']
    """
    terms = dict.fromkeys(TERMS, 0.0)
    for kind, term in _OF_OPENMM.items():
        terms[term] += _energy(system, (kind,), positions, box, platform)
    uncharged = openmm.XmlSerializer.clone(system)
    _discharge(nonbonded_force(uncharged))
    kinds = (openmm.NonbondedForce,)
    terms["lennard_jones"] = _energy(uncharged, kinds, positions, box, platform)
    both = _energy(system, kinds, positions, box, platform)
    terms["coulomb"] = both - terms["lennard_jones"]
    return terms


def reaction_field_of_excluded_pairs(setup: Setup) -> float:
    """What GROMACS's Coulomb energy has more than OpenMM's where there is a cutoff, in kJ/mol.

    GROMACS counts the reaction field also between excluded pairs and of each atom with itself, and
    1–4 pairs have a term of their own, in vacuum.  0
    without a reaction field.
    """
    force = nonbonded_force(setup.system)
    if force.getNonbondedMethod() not in (force.CutoffNonPeriodic, force.CutoffPeriodic):
        return 0.0
    cutoff = force.getCutoffDistance().value_in_unit(unit.nanometer)
    epsilon = force.getReactionFieldDielectric()
    k = (epsilon - 1) / (2 * epsilon + 1) / cutoff**3
    c = 3 * epsilon / (2 * epsilon + 1) / cutoff
    charge = nonbonded_parameters(force, np.arange(force.getNumParticles()))[:, 0]
    energy = -0.5 * c * float((charge**2).sum())
    positions = setup.complex.positions
    for n in range(force.getNumExceptions()):
        i, j, *_ = force.getExceptionParameters(n)
        r = np.linalg.norm(positions[i] - positions[j])
        energy += charge[i] * charge[j] * (k * r * r - c)
    return float(COULOMB * energy)


def extent(positions: np.ndarray) -> float:
    """An upper bound of the distances between positions (N, 3)."""
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    return 2 * float(np.linalg.norm(positions - middle, axis=1).max())


def _energy(
    system: openmm.System,
    kinds: tuple[type, ...],
    positions: np.ndarray,
    box: np.ndarray | None,
    platform: str,
) -> float:
    part = openmm.XmlSerializer.clone(system)
    for index in reversed(range(part.getNumForces())):
        if not isinstance(part.getForce(index), kinds):
            part.removeForce(index)
    return potential_energy(part, positions, box, platform)


def _discharge(force: openmm.NonbondedForce) -> None:
    for i in range(force.getNumParticles()):
        _, sigma, epsilon = force.getParticleParameters(i)
        force.setParticleParameters(i, 0.0, sigma, epsilon)
    for n in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(n)
        force.setExceptionParameters(n, i, j, 0.0, sigma, epsilon)
