"""Drag a ligand, and residues, to a pose by restraints in short, damped dynamics of everything.

Minimising a drawn pose takes the heat out of the atoms near it, which they need picoseconds of MD
to get back.  Here the restraints move from the present pose to the drawn one while everything
moves: the pocket gets out of the way by its own motion, and the work that the restraints did on
the System says how ill the drawn pose fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bindingnet.chemistry import ligand_chemistry
from ..dynamics.ou_wells import torsion_angles
from ..dynamics.rigid_torsion import RotatableBonds, displace, rotatable_bonds
from ..structure.complex import Complex
from ..units import nanometers
from .contexts import context_like, put
from .relaxation import restraint

Array = NDArray[np.float64]

FRICTION = 10.0
"""1/ps; carries the heat of the work away while the ligand is dragged."""
STAGE_STEPS = 10
"""Steps of MD between two places of the restraints."""


def drag(
    target: openmm.Context,
    thermodynamic_state: Any,
    sampler_state: Any,
    path: Array,
    atoms: NDArray[np.int64],
    *,
    steps: int,
    stiffness: float,
    timestep: float,
    seed: int,
) -> Array:
    """Drag atoms along a path, then let them go; positions and velocities in place.

    Parameters
    ----------
    target : Context
        Of the platform to take.
    thermodynamic_state, sampler_state : openmmtools
        The latter's velocities are taken where it has any.
    path : (stages, n, 3) float64, nm
        Places of the restraints one after the other; the first ones stand at the present pose.
    atoms : (n,) int64
    steps : int
        Of MD with the restraints at each place.
    stiffness : float
        kJ/mol/nm² of a restraint.
    timestep : float
        ps.
    seed : int

    Returns
    -------
    (n,) float64
        Work of each restraint in kJ/mol, letting go included.

    Raises
    ------
    openmm.OpenMMException
        A coordinate is not a number.  The sampler state is as it was.
    """
    temperature = thermodynamic_state.temperature
    system = thermodynamic_state.get_system(remove_thermostat=True, remove_barostat=True)
    held = restraint(atoms, stiffness)
    system.addForce(held)
    integrator = openmm.LangevinMiddleIntegrator(temperature, FRICTION, timestep)
    integrator.setRandomNumberSeed(seed)
    context = context_like(target, system, integrator)
    put(context, sampler_state, velocities=True)
    context.applyConstraints(1e-6)
    if sampler_state.velocities is None:
        context.setVelocitiesToTemperature(temperature, seed)
    work, place = np.zeros(len(atoms)), nanometers(sampler_state.positions)[atoms]
    now = place
    for following in path:
        # the restraint's own energy is all that changes when its place does
        work += stiffness / 2 * ((now - following) ** 2 - (now - place) ** 2).sum(axis=1)
        place = following
        for row, (atom, point) in enumerate(zip(atoms.tolist(), place)):
            held.setParticleParameters(row, atom, point)
        held.updateParametersInContext(context)
        integrator.step(steps)
        now = nanometers(context.getState(positions=True).getPositions(asNumpy=True))[atoms]
    work -= stiffness / 2 * ((now - place) ** 2).sum(axis=1)
    state = context.getState(positions=True, velocities=True)
    if not np.isfinite(now).all():
        raise openmm.OpenMMException("a coordinate is not a number")
    sampler_state.positions = state.getPositions(asNumpy=True)
    sampler_state.velocities = state.getVelocities(asNumpy=True)
    return work


def pose_path(present: Array, pose: Array, rotatable: RotatableBonds, stages: int) -> Array:
    """Poses (stages, n, 3) from the present one, left out, to another; the last is that one.

    Torsions turn and the whole ligand moves as a rigid body in equal parts, so that no ring is
    pulled through itself; what neither explains is added in equal parts in Cartesian coordinates.

    Parameters
    ----------
    present, pose : (n, 3) float64
    rotatable : RotatableBonds
    stages : int
    """
    turns = turned(present, pose, rotatable)
    q = np.concatenate([np.zeros(6), turns])
    bent = displace(present, rotatable, q[None])[0]
    # `displace` turns about the centroid of `present`: the best rotation and shift for that
    about = present.mean(axis=0)
    rotation, _ = Rotation.align_vectors(pose - pose.mean(axis=0), bent - bent.mean(axis=0))
    q[3:6] = rotation.as_rotvec()
    q[:3] = pose.mean(axis=0) - about - rotation.apply(bent.mean(axis=0) - about)
    shares = np.arange(1, stages + 1) / stages
    poses = displace(present, rotatable, shares[:, None] * q)
    return np.asarray(poses + shares[:, None, None] * (pose - poses[-1]))


def turned(present: Array, pose: Array, rotatable: RotatableBonds) -> Array:
    """Rotation about each rotatable bond from one pose (n, 3) to another, −π to π."""
    if not len(rotatable.bonds):
        return np.zeros(0)
    both = torsion_angles(np.stack([present, pose]), rotatable.quadruples)
    return np.asarray((both[1] - both[0] + np.pi) % (2 * np.pi) - np.pi)


def ligand_bonds_that_turn(complex: Complex) -> RotatableBonds:
    """Rotatable bonds of a complex's ligand; none where its bond orders are not known."""
    n = len(complex.ligand_heavy)
    if complex.molecule is None:
        none = np.zeros((0, 2), dtype=np.int64)
        quadruples = np.zeros((0, 4), dtype=np.int64)
        return RotatableBonds(none, np.zeros((0, n), dtype=bool), quadruples, none[:, 0])
    return rotatable_bonds(ligand_chemistry(complex.molecule), amides=True)
