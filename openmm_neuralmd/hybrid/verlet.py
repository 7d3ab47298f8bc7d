"""Velocity Verlet under one force on some of the atoms: reversible, and it keeps volumes.

Both hold for any force that depends on positions alone, whether it is a gradient or not; that is
what makes it a proposal for hybrid Monte Carlo (Duane et al., Phys. Lett. B 195, 216, 1987).
"""

from __future__ import annotations

from collections.abc import Sequence

import openmm

from ..errors import InputError

TOLERANCE = 1e-10
"""Relative, of constraints: what they are wrong by, a move and its reverse differ by."""


class VelocityVerletIntegrator(openmm.CustomIntegrator):
    """Velocity Verlet with constraints (RATTLE); positions and velocities are of one time.

    OpenMM's VerletIntegrator has its velocities half a step behind.

    Parameters
    ----------
    timestep : float
        ps.
    """

    def __init__(self, timestep: float) -> None:
        super().__init__(timestep)
        self.addPerDofVariable("free", 0)
        self.addUpdateContextState()
        self.addComputePerDof("v", "v+0.5*dt*f/m")
        self.addComputePerDof("x", "x+dt*v")
        self.addComputePerDof("free", "x")
        self.addConstrainPositions()
        self.addComputePerDof("v", "v+0.5*dt*f/m+(x-free)/dt")
        self.addConstrainVelocities()
        self.setConstraintTolerance(TOLERANCE)


def proposal_system(
    system: openmm.System, force: openmm.Force, atoms: Sequence[int]
) -> openmm.System:
    """The particles of a System under one force alone; only `atoms` have a mass.

    Raises
    ------
    InputError
        A constraint joins an atom that moves to one that does not; an atom that cannot move.
    """
    count, chosen = system.getNumParticles(), set(atoms)
    wrong = sorted(i for i in chosen if not 0 <= i < count or system.isVirtualSite(i))
    if wrong or not chosen:
        told = f"particle {wrong[0]} is not one" if wrong else "none was given"
        raise InputError(f"a move needs atoms of the System that can move; {told}")
    proposal = openmm.System()
    proposal.setDefaultPeriodicBoxVectors(*system.getDefaultPeriodicBoxVectors())
    for index in range(count):
        proposal.addParticle(system.getParticleMass(index) if index in chosen else 0.0)
    for index in filter(system.isVirtualSite, range(count)):
        site = openmm.XmlSerializer.clone(system.getVirtualSite(index))
        proposal.setVirtualSite(index, site)
    for index in range(system.getNumConstraints()):
        i, j, length = system.getConstraintParameters(index)
        if (i in chosen) != (j in chosen):
            raise InputError(
                f"a constraint joins particle {i} to {j}, but the move holds one of them still; "
                "let both move, or make the System without constraints"
            )
        if i in chosen:
            proposal.addConstraint(i, j, length)
    proposal.addForce(openmm.XmlSerializer.clone(force))
    return proposal
