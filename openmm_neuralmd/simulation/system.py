"""`create_system`: a rigid protein, a ligand whose heavy atoms the model moves, its hydrogens."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from ..errors import InputError
from ..structure.complex import Complex
from ..trajectory.history import History, Known
from .fixed_point import model_unit
from .force import NeuralMDForce
from .integrator import PROJECTION_OFFSET, REFINEMENT_OFFSET, check_propagator
from .projection import projection_force
from .start import openmm_start

if TYPE_CHECKING:
    from ..model import Model

_COLLINEAR = 0.2
"""Sine of the smallest angle between two bonds that may define a hydrogen's axes (12°)."""


def create_system(
    model: Model,
    complex: Complex,
    known: Known = None,
    *,
    backend: str | None = None,
    precision: str = "single",
    device: str = "auto",
    forceGroup: int = 1,
    file: str | Path | None = None,
) -> openmm.System:
    """Make a System in which the model moves the ligand.

    Only the ligand's atoms that the model moves (heavy ones, as a rule) have a mass.  Everything
    else is frozen, and hydrogens that it does not move are virtual sites on the heavy atoms around
    them, so they follow every jump.

    Parameters
    ----------
    model : Model
    complex : Complex
    known : History, Snapshots or array (T, n, 3) in Å, optional
        Known snapshots, whose mean bond lengths and angles the projection keeps; the complex's
        own without them.  `initialise` sets them too.
    backend, precision, device
        See `NeuralMDForce`.
    forceGroup : int
        Group of the learned force; a velocity refinement takes the next, the projection the one
        after that.  NeuralMD-OU has native forces alone, in this group and the three after it.
    file : path, optional
        Where to keep the exported force; a refinement goes beside it ('NAME.refinement.pt').

    Raises
    ------
    ModelError, InputError
        Model and complex do not fit; a hydrogen without three heavy atoms to define its place.

    Examples
    --------
    >>> from openmm_neuralmd import create_system, example, load_model
    >>> known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine")
    >>> system = create_system(model, known.complex, known, backend="PythonForce")
    >>> system.getNumParticles() == len(known.complex.positions)
    True
    """
    check_propagator(model)
    complex = model.fitted(complex)
    dynamics = model.dynamics.inside_openmm(complex)
    system = openmm.System()
    for mass in particle_masses(complex):
        system.addParticle(mass)
    for particle, site in hydrogen_sites(complex).items():
        system.setVirtualSite(particle, site)
    if complex.box is not None:
        system.setDefaultPeriodicBoxVectors(*complex.box)
        system.addForce(molecule_bonds(complex))
    options: dict[str, Any] = {"backend": backend, "precision": precision, "device": device}
    for quantity in dynamics.fields:
        system.addForce(_learned_force(model, complex, quantity, forceGroup, file, options))
    first = forceGroup + len(dynamics.fields)
    for force in dynamics.native_forces(complex.ligand_sites.tolist(), first):
        system.addForce(force)
    if dynamics.sweeps > 0:
        lengths = openmm_start(model, History.of(known, complex)).lengths
        system.addForce(projection_force(complex, lengths, forceGroup + PROJECTION_OFFSET))
    return system


def _learned_force(
    model: Model,
    complex: Complex,
    quantity: str,
    group: int,
    file: str | Path | None,
    options: dict[str, Any],
) -> openmm.Force:
    """Force of one field, in model units; a refinement has its own group and file."""
    refined = quantity == "refinement"
    return NeuralMDForce(
        model,
        complex,
        quantity=quantity,
        forceGroup=group + (REFINEMENT_OFFSET if refined else 0),
        scale=1.0 / model_unit(quantity, model.card.interval_ps),
        file=Path(file).with_suffix(".refinement.pt") if file and refined else file,
        **options,
    )


def particle_masses(complex: Complex) -> np.ndarray:
    """Masses (N,) in amu: the elements' for atoms that the model moves, 0 for all others."""
    masses = np.zeros(len(complex.positions))
    masses[complex.ligand_sites] = complex.ligand_masses[complex.sites]
    return masses


def hydrogen_sites(complex: Complex) -> dict[int, openmm.LocalCoordinatesSite]:
    """Virtual site of each ligand hydrogen that the model does not move, by particle index.

    The axes are those of three heavy atoms, the hydrogen's parent first, so its bond keeps its
    length whatever the model does to the heavy atoms.
    """
    heavy, neighbours = set(complex.heavy.tolist()), _neighbours(complex)
    positions = complex.positions[complex.ligand]
    sites = {}
    for hydrogen in sorted(set(range(len(complex.ligand))).difference(complex.sites.tolist())):
        trio = _reference_atoms(complex, hydrogen, positions, neighbours, heavy)
        local = _local_position(positions[hydrogen], positions[list(trio)])
        particles = [int(complex.ligand[i]) for i in trio]
        sites[int(complex.ligand[hydrogen])] = openmm.LocalCoordinatesSite(
            particles, [1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], local
        )
    return sites


def _neighbours(complex: Complex) -> dict[int, list[int]]:
    neighbours: dict[int, list[int]] = {i: [] for i in range(len(complex.ligand))}
    for i, j in complex.ligand_bonds.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    return neighbours


def _reference_atoms(
    complex: Complex,
    hydrogen: int,
    positions: np.ndarray,
    neighbours: dict[int, list[int]],
    heavy: set[int],
) -> tuple[int, int, int]:
    """The hydrogen's parent and the two heavy atoms nearest to it in bonds, not in one line."""
    order = [atom for atom in _by_bonds(hydrogen, neighbours) if atom in heavy]
    if order:
        parent = order[0]
        # Pairs in order of the farther atom: the nearest atoms that span a plane are taken.
        for b, a in sorted(pair[::-1] for pair in combinations(range(1, len(order)), 2)):
            first, second = positions[[order[a], order[b]]] - positions[parent]
            area = np.linalg.norm(np.cross(first, second))
            if area > _COLLINEAR * np.linalg.norm(first) * np.linalg.norm(second):
                return parent, order[a], order[b]
    atom = list(complex.topology.atoms())[complex.ligand[hydrogen]]
    raise InputError(
        f"{complex.name}: the ligand's hydrogen {atom.name} is not bonded to three heavy atoms "
        "that span a plane; remove the ligand's hydrogens, the model does not need them"
    )


def _by_bonds(start: int, neighbours: dict[int, list[int]]) -> list[int]:
    """Atoms of the molecule in order of their distance from `start` in bonds."""
    order, seen = [start], {start}
    for atom in order:
        for other in sorted(neighbours[atom]):
            if other not in seen:
                seen.add(other)
                order.append(other)
    return order[1:]


def _local_position(point: np.ndarray, trio: np.ndarray) -> np.ndarray:
    """Coordinates of a point in OpenMM's axes: x to the second atom, z normal to the plane."""
    x = trio[1] - trio[0]
    z = np.cross(x, trio[2] - trio[0])
    x, z = x / np.linalg.norm(x), z / np.linalg.norm(z)
    return np.array([x, np.cross(z, x), z]) @ (point - trio[0])


def molecule_bonds(complex: Complex) -> openmm.Force:
    """Bonds of strength 0 that make ligand and protein one molecule for OpenMM.

    Reporters wrap molecule by molecule into the periodic box; without bonds every atom would be
    one, and the ligand could be written in another image than its pocket.
    """
    force = openmm.HarmonicBondForce()
    force.setName("NeuralMDMolecule")
    force.setUsesPeriodicBoundaryConditions(True)
    pairs = [(bond.atom1.index, bond.atom2.index) for bond in complex.topology.bonds()]
    pairs += complex.ligand[complex.ligand_bonds].tolist()
    alpha = complex.backbone[:, 1].tolist()
    chain = [*complex.ligand_sites.tolist(), *alpha]
    pairs += pairwise(chain)
    for i, j in pairs:
        force.addBond(int(i), int(j), 0.0, 0.0)
    return force
