"""Restrained minimisation of a ligand and of what is near it, and its energy there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit
from scipy.spatial import cKDTree

from ..md.masses import masses, without_constraints
from ..structure.complex import Complex
from ..units import nanometers
from ..utils.platforms import minimise_energy
from .contexts import context_like, kilojoules

RESTRAINT_GROUP = 31
OTHERS = set(range(RESTRAINT_GROUP))


class Quench:
    """Minimiser under all forces; atoms far from the ligand are fixed.

    One environment for the pose before a jump and the pose after it: the difference of their
    energies is the jump's, and not the noise of ten thousand other atoms.

    Parameters
    ----------
    system : System
        All atoms; with masses of 0 where nothing moves.
    complex : Complex
        Its topology has the System's particles.
    poses : sequence of (N, 3) float64, nm
        Residues with an atom within `radius` of the ligand in any of them move.
    radius : float
        nm.
    stiffness : float
        kJ/mol/nm², holds the ligand's heavy atoms at each pose.
    target : Context
        Of the platform to take.
    """

    def __init__(
        self,
        system: openmm.System,
        complex: Complex,
        poses: Sequence[np.ndarray],
        radius: float,
        stiffness: float,
        target: openmm.Context,
    ) -> None:
        self.complex = complex
        near = nearby(complex, poses, radius)
        # The minimiser starts over and over with constraints; bond terms stand for them here.
        system = without_constraints(system)
        for atom in np.flatnonzero((masses(system) > 0) & ~near).tolist():
            system.setParticleMass(atom, 0.0)
        self._restraint = restraint(complex.ligand_heavy, stiffness)
        system.addForce(self._restraint)
        self._context = context_like(target, system, openmm.VerletIntegrator(0.001))

    def __call__(
        self, positions: np.ndarray, box: Any, iterations: int
    ) -> tuple[np.ndarray, float]:
        """Minimised positions (N, 3) in nm, and their potential energy in kJ/mol, unrestrained.

        Raises
        ------
        openmm.OpenMMException
            Not a number: atoms lie upon each other.
        """
        context = self._context
        if box is not None:
            context.setPeriodicBoxVectors(*box)
        for row, atom in enumerate(self.complex.ligand_heavy):
            self._restraint.setParticleParameters(row, int(atom), positions[atom])
        self._restraint.updateParametersInContext(context)
        context.setPositions(positions)
        minimise_energy(context, 10.0, iterations)
        state = context.getState(positions=True, energy=True, groups=OTHERS)
        energy = kilojoules(state.getPotentialEnergy())
        if not np.isfinite(energy):
            raise openmm.OpenMMException("the energy is not a number")
        return nanometers(state.getPositions(asNumpy=True)), energy


def nearby(complex: Complex, poses: Sequence[np.ndarray], radius: float) -> np.ndarray:
    """Atoms (N,) bool of the ligand, and of residues with an atom within `radius` nm of it."""
    residue = np.array([atom.residue.index for atom in complex.topology.atoms()])
    residues = {int(residue[complex.ligand[0]])}
    for positions in poses:
        close = cKDTree(positions).query_ball_point(positions[complex.ligand], radius)
        residues.update(residue[np.unique(np.concatenate(close).astype(int))].tolist())
    return np.isin(residue, list(residues))


def restraint(atoms: np.ndarray, stiffness: float) -> openmm.CustomExternalForce:
    """Make a restraint to the places that `setParticleParameters` gives, in a separate group."""
    force = openmm.CustomExternalForce(f"{stiffness / 2!r}*((x-x0)^2+(y-y0)^2+(z-z0)^2)")
    for name in ("x0", "y0", "z0"):
        force.addPerParticleParameter(name)
    for atom in atoms:
        force.addParticle(int(atom), [0.0, 0.0, 0.0] * unit.nanometer)
    force.setForceGroup(RESTRAINT_GROUP)
    return force
