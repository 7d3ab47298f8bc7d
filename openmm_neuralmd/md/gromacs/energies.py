"""Energies of one set of coordinates, term by term, from GROMACS and from OpenMM."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openmm

from ..folder import potential_energy
from ..modes import Setup
from ..subsystem import nonbonded_force
from .edr import read_edr
from .parameters import nonbonded, single_point, written
from .program import Gmx, find_gmx
from .topology import GRO, TOP, export

TERMS = ("bond", "angle", "torsion", "lennard_jones", "coulomb")

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
