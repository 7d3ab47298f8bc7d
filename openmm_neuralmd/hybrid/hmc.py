"""`NeuralMDHMCMove`: exact hybrid Monte Carlo with a learned force as its proposal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from openmm import unit

from ..errors import InputError
from ..units import BOLTZMANN, strip
from .contexts import context_like, kilojoules, shared_cache
from .counted import CountedMove


class NeuralMDHMCMove(CountedMove):
    """Fresh momenta, some steps under a learned force, and a Metropolis decision on all atoms.

    The force only proposes.  A step of velocity Verlet is reversible and keeps volumes under any
    force of positions, so the decision on the change of the *all-atom* Hamiltonian (potential of
    the thermodynamic state, kinetic energy of the atoms that moved) leaves the thermodynamic
    state's own distribution as it is, however bad the force: a bad one is refused more often.
    The other atoms stand still during the move; alternate it with a move of everything.

    Parameters
    ----------
    force : openmm.Force
        Depends on nothing but positions; a `NeuralMDForce` of an energy head with hydrogens, as a
        rule.
    atoms : sequence of int
        Particles that move: those of the ligand.
    n_steps : int
        Of velocity Verlet in one proposal.
    timestep : Quantity or float in ps
    seed : int, optional
        Of momenta and decisions; another one each time by default.

    Attributes
    ----------
    n_proposed, n_accepted, n_failed : int
        Failed: not a number on the way; refused.

    Raises
    ------
    InputError
        From `apply`: a constraint between atoms that move and atoms that do not.

    Examples
    --------
    >>> import openmm
    >>> from openmm import unit
    >>> from openmm_neuralmd.hybrid import NeuralMDHMCMove  # before openmmtools: keeps it quiet
    >>> from openmmtools.states import SamplerState, ThermodynamicState
    >>> def spring(stiffness):  # kJ/mol/nm², holds one particle at the origin
    ...     force = openmm.CustomExternalForce(f"{stiffness}*(x^2+y^2+z^2)/2")
    ...     _ = force.addParticle(0, [])
    ...     return force
    >>> system = openmm.System()
    >>> _ = system.addParticle(12.0), system.addForce(spring(400))
    >>> target = ThermodynamicState(system, 300 * unit.kelvin)
    >>> sampler = SamplerState([[0.0, 0.0, 0.0]] * unit.nanometer)
    >>> move = NeuralMDHMCMove(spring(350), [0], timestep=0.01, seed=1)  # a force that is not exact
    >>> for _ in range(20):
    ...     move.apply(target, sampler)
    >>> move.n_proposed, move.fraction_accepted > 0.5
    (20, True)
    """

    def __init__(
        self,
        force: openmm.Force,
        atoms: Sequence[int],
        *,
        n_steps: int = 20,
        timestep: Any = 0.001,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if n_steps < 1:
            raise InputError(f"a move of {n_steps} steps does not move; 1 is the least")
        self.force = openmm.XmlSerializer.clone(force)
        self.atoms = [int(i) for i in atoms]
        self.n_steps = int(n_steps)
        self.timestep = float(strip(timestep, unit.picosecond))
        self._context: openmm.Context | None = None

    def apply(
        self, thermodynamic_state: Any, sampler_state: Any, context_cache: Any = None
    ) -> None:
        """Propose once, and keep the proposal or the present state.

        Parameters
        ----------
        thermodynamic_state : openmmtools.states.ThermodynamicState
        sampler_state : openmmtools.states.SamplerState
            Changed in place.  Velocities of the atoms that move are redrawn, those of others kept.
        context_cache : openmmtools.cache.ContextCache, optional
            openmmtools' global one by default.
        """
        random = self.generator()
        target, _ = shared_cache(context_cache).get_context(thermodynamic_state)
        sampler_state.apply_to_context(target, ignore_velocities=True)
        before = thermodynamic_state.reduced_potential(target)
        proposal = self._proposal(thermodynamic_state, target)
        if thermodynamic_state.is_periodic:
            proposal.setPeriodicBoxVectors(*sampler_state.box_vectors)
        proposal.setPositions(sampler_state.positions)
        temperature = thermodynamic_state.temperature
        proposal.setVelocitiesToTemperature(temperature, int(random.integers(1, 2**31 - 1)))
        start, kinetic = _moved(proposal)
        self.n_proposed += 1
        end = self._trajectory(proposal)
        accepted = False
        if end is None:
            self.n_failed += 1
        else:
            positions, change = end[0], end[1] - kinetic
            thermal = BOLTZMANN * temperature.value_in_unit(unit.kelvin)
            target.setPositions(positions)
            after = thermodynamic_state.reduced_potential(target)
            change = after - before + change / thermal
            accepted = bool(np.log(random.random()) < -change)  # nan is refused
        if accepted:
            self.n_accepted += 1
            sampler_state.positions = positions
        self._set_velocities(sampler_state, proposal if accepted else None, start)

    def _trajectory(self, proposal: openmm.Context) -> tuple[Any, float] | None:
        """Positions and kinetic energy in kJ/mol at the end; None where it is not a number."""
        try:
            proposal.getIntegrator().step(self.n_steps)
        except openmm.OpenMMException:  # not a number, by OpenMM's check or the force's own
            return None
        state = proposal.getState(positions=True, energy=True)
        kinetic = kilojoules(state.getKineticEnergy())
        positions = state.getPositions(asNumpy=True)
        return (positions, kinetic) if np.isfinite(positions._value).all() else None

    def _set_velocities(
        self, sampler_state: Any, proposal: openmm.Context | None, start: np.ndarray
    ) -> None:
        """Set velocities: those at the end if accepted, the drawn ones, reversed, if rejected.

        Both fit the positions of the resulting state, constraints included.
        """
        if sampler_state.velocities is None:
            return
        ours = -start if proposal is None else _moved(proposal)[0]
        velocities = sampler_state.velocities
        nm_per_ps = unit.nanometer / unit.picosecond
        velocities[self.atoms] = ours[self.atoms] * nm_per_ps
        sampler_state.velocities = velocities

    def _proposal(self, thermodynamic_state: Any, target: openmm.Context) -> openmm.Context:
        """The Context of the proposal: made once, on the platform of the target's."""
        if self._context is None:
            system = proposal_system(thermodynamic_state.system, self.force, self.atoms)
            integrator = VelocityVerletIntegrator(self.timestep)
            self._context = context_like(target, system, integrator)
        return self._context

    def __getstate__(self) -> dict[str, Any]:
        return {
            "force": openmm.XmlSerializer.serialize(self.force),
            "atoms": self.atoms,
            "n_steps": self.n_steps,
            "timestep": self.timestep,
            "seed": self.seed,
            **self.statistics,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(  # type: ignore[misc]
            openmm.XmlSerializer.deserialize(state["force"]),
            state["atoms"],
            n_steps=state["n_steps"],
            timestep=state["timestep"],
            seed=state["seed"],
        )
        self.statistics = state


def _moved(context: openmm.Context) -> tuple[np.ndarray, float]:
    """Velocities (N, 3) in nm/ps and kinetic energy in kJ/mol."""
    state = context.getState(velocities=True, energy=True)
    velocities = state.getVelocities(asNumpy=True)
    nm_per_ps = unit.nanometer / unit.picosecond
    return np.array(velocities.value_in_unit(nm_per_ps)), kilojoules(state.getKineticEnergy())


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
        reason = f"particle {wrong[0]} is not one" if wrong else "none was given"
        raise InputError(f"a move needs atoms of the System that can move; {reason}")
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
