"""Warnings about a mixed System: properties that can be meant, but are rarely wanted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import openmm
from openmm import app
from scipy.spatial import cKDTree

from openmm_neuralmd import Complex
from openmm_neuralmd.errors import shown
from openmm_neuralmd.md.subsystem import IMPLICIT_SOLVENTS
from openmm_neuralmd.structure.residues import WATER, describe

if TYPE_CHECKING:
    from openmm_neuralmd.model import Model

CONTACT = 0.5  # nm
BACKBONE = frozenset("N CA C O OXT".split())


class EmbeddingWarning(UserWarning):
    """The mixed System is not what it might be taken for."""


def warn_embedding(
    model: Model, system: openmm.System, complex: Complex, replaced: np.ndarray
) -> None:
    """Warn of a solvent that is counted twice, and of side chains that feel no ligand."""
    if _screened(model) and _solvated(system, complex):
        _warn(
            f"model '{model.card.name}' learned a distance-dependent dielectric (4r), which stands "
            "for a solvent, and this System has one: screening is counted twice; train on labels "
            "of 'neuralmd reference --mode rigid --dielectric vacuum'"
        )
    free = free_neighbours(system, complex, replaced)
    if free:
        residues = dict.fromkeys(describe(atom.residue) for atom in free)
        _warn(
            f"{len(free)} side chain atoms near the ligand ({shown(residues, 3)}) no longer feel "
            "it, since the model acts on ligand and backbone alone, and are free to move into it; "
            "hold them by a CustomExternalForce or by masses of 0"
        )


def free_neighbours(
    system: openmm.System, complex: Complex, replaced: np.ndarray
) -> list[app.topology.Atom]:
    """Heavy atoms beside the ligand that neither the backbone nor anything else holds."""
    positions, atoms = complex.positions, list(complex.topology.atoms())
    distance, _ = cKDTree(positions[complex.ligand]).query(positions[replaced])
    near = set(replaced[distance < CONTACT].tolist()) - held(system)
    heavy = [atoms[i] for i in sorted(near) if atoms[i].element not in (None, app.element.hydrogen)]
    return [atom for atom in heavy if atom.name not in BACKBONE]


def held(system: openmm.System) -> set[int]:
    """Particles without mass, or with a restraint to a place."""
    particles = range(system.getNumParticles())
    massless = {i for i in particles if system.getParticleMass(i)._value == 0}
    for force in system.getForces():
        if isinstance(force, openmm.CustomExternalForce):
            massless.update(
                force.getParticleParameters(n)[0] for n in range(force.getNumParticles())
            )
    return massless


def _screened(model: Model) -> bool:
    return any(data.get("dielectric") == "4r" for data in model.card.data)


def _solvated(system: openmm.System, complex: Complex) -> bool:
    implicit = any(isinstance(force, IMPLICIT_SOLVENTS) for force in system.getForces())
    return implicit or any(residue.name in WATER for residue in complex.topology.residues())


def _warn(message: str) -> None:
    warnings.warn(message, EmbeddingWarning, stacklevel=5)
