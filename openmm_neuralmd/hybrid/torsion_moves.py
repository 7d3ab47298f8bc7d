"""`TorsionMove` and `TorsionNCMCMove`: exact turns of a ligand's bonds from well to well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit

from ..errors import InputError
from ..units import BOLTZMANN, nanometers, strip
from .contexts import context_like, kilojoules, shared_cache
from .counted import CountedMove
from .hmc import VelocityVerletIntegrator
from .torsions import Torsion

Array = NDArray[np.float64]
NM_PER_PS = unit.nanometer / unit.picosecond
WELL_TURNS = (2 * np.pi / 3, np.pi, -2 * np.pi / 3)
"""rad; turns of `TorsionNCMCMove` from one well to another."""


class _TurningMove(CountedMove):
    """Torsions, and their serialization."""

    def __init__(self, torsions: Sequence[Torsion], seed: int | None) -> None:
        super().__init__(seed)
        if not torsions:
            raise InputError("a torsion move needs one rotatable bond or more")
        self.torsions = list(torsions)

    def __getstate__(self) -> dict[str, Any]:
        torsions = [
            {name: getattr(torsion, name) for name in ("quadruple", "moving", "density")}
            for torsion in self.torsions
        ]
        return {"torsions": torsions, "seed": self.seed, **self.settings(), **self.statistics}

    def __setstate__(self, state: dict[str, Any]) -> None:
        torsions = [Torsion(**one) for one in state["torsions"]]
        chosen = {name: state[name] for name in ("seed", *state) if name in self._names()}
        self.__init__(torsions, **chosen)  # type: ignore[misc]
        self.statistics = state

    def settings(self) -> dict[str, Any]:
        """Arguments besides torsions and seed."""
        return {name: getattr(self, name) for name in self._names() if name != "seed"}

    def _names(self) -> tuple[str, ...]:
        return ("seed",)


class TorsionMove(_TurningMove):
    """Propose new angles for rotatable bonds, one at a time; keep each by Metropolis and Hastings.

    The angle is drawn from the torsion's own density p whatever the present one is.  The turn has
    the Jacobian 1 (see `torsions`), the way back the probability p(φ), so that a proposal is kept
    with the probability min(1, exp(−ΔU/kT) p(φ)/p(φ')): detailed balance holds for the all-atom
    System, with or without constraints.  Poses with atoms upon each other (`torsions.CLOSEST`) are
    refused without an energy.  All other atoms stand still; alternate the move with one of
    everything.

    Parameters
    ----------
    torsions : sequence of Torsion
        See `ligand_torsions`.
    n_proposals : int
        Proposals of one application, each of a bond drawn at random.
    seed : int, optional

    Attributes
    ----------
    n_proposed, n_accepted, n_failed : int
        Failed: the energy of the proposal is not a number.

    Raises
    ------
    InputError
        No torsion was given.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm import unit
    >>> from openmm_neuralmd.hybrid import Torsion, TorsionMove
    >>> from openmmtools.states import SamplerState, ThermodynamicState
    >>> from openmmtools.testsystems import AlanineDipeptideVacuum
    >>> dipeptide = AlanineDipeptideVacuum()
    >>> target = ThermodynamicState(dipeptide.system, 300 * unit.kelvin)
    >>> sampler = SamplerState(dipeptide.positions)
    >>> psi = Torsion(np.array([6, 8, 14, 16]), np.arange(15, 22), np.full(36, 1 / 36))
    >>> move = TorsionMove([psi], n_proposals=20, seed=1)
    >>> move.apply(target, sampler)
    >>> move.n_proposed, 0 < move.n_accepted < 20
    (20, True)
    """

    def __init__(
        self, torsions: Sequence[Torsion], *, n_proposals: int = 10, seed: int | None = None
    ) -> None:
        super().__init__(torsions, seed)
        self.n_proposals = int(n_proposals)

    def _names(self) -> tuple[str, ...]:
        return ("seed", "n_proposals")

    def apply(
        self, thermodynamic_state: Any, sampler_state: Any, context_cache: Any = None
    ) -> None:
        """Make `n_proposals` proposals.

        Parameters
        ----------
        thermodynamic_state : openmmtools.states.ThermodynamicState
        sampler_state : openmmtools.states.SamplerState
            Changed in place; velocities of the atoms that turn are turned with them.
        context_cache : openmmtools.cache.ContextCache, optional
            openmmtools' global one by default.
        """
        context, _ = shared_cache(context_cache).get_context(thermodynamic_state)
        sampler_state.apply_to_context(context, ignore_velocities=True)
        thermal = BOLTZMANN * thermodynamic_state.temperature.value_in_unit(unit.kelvin)
        positions = nanometers(sampler_state.positions)
        velocities = _velocities(sampler_state)
        energy = _energy(context)
        for _ in range(self.n_proposals):
            random = self.generator()
            torsion = self.torsions[random.integers(len(self.torsions))]
            present, angle = torsion.angle(positions), torsion.draw(random)
            proposal = torsion.turned(positions, angle - present)
            self.n_proposed += 1
            if torsion.clashes(proposal):
                continue
            context.setPositions(proposal)
            reached = _energy(context)
            self.n_failed += not np.isfinite(reached)
            gain = torsion.log_density(present) - torsion.log_density(angle)
            if np.log(random.random()) < gain - (reached - energy) / thermal:  # NaN is refused
                self.n_accepted += 1
                if velocities is not None:
                    velocities = torsion.turned(positions, angle - present, velocities)
                positions, energy = proposal, reached
        sampler_state.positions = positions * unit.nanometer
        if velocities is not None:
            sampler_state.velocities = velocities * NM_PER_PS


class TorsionNCMCMove(_TurningMove):
    """Turn a bond little by little while everything moves; keep the end by its work.

    A nonequilibrium candidate move (Nilmeier et al., PNAS 108:E1009, 2011) as BLUES uses it for
    rotations, without alchemical scaling: the surroundings get out of the way by their own motion.
    From fresh momenta, velocity Verlet of everything alternates with `n_turns` equal parts of a
    turn of ±120° or 180° (and a normal deviate), beginning and ending with Verlet.  Each part
    keeps the volume of phase space, and the way back is the same protocol with the opposite turn,
    which is drawn with the same probability.  The acceptance min(1, exp(−ΔH/kT)) with the
    Hamiltonian H of the all-atom System is therefore exact; no error of the integrator is left out.

    Parameters
    ----------
    torsions : sequence of Torsion
        Their densities are not used.
    n_turns : int
        Parts of the turn.
    n_steps : int
        Steps of Verlet before each part, and after the last.
    timestep : Quantity or float in ps
    spread : float
        Standard deviation, rad, of the turn about ±120° or 180°.
    seed : int, optional

    Attributes
    ----------
    n_proposed, n_accepted, n_failed : int
        Failed: not a number on the way, or an end with atoms upon each other (`torsions.CLOSEST`);
        refused.
    last_work : float
        ΔH of the last proposal in kJ/mol; NaN where it failed.

    Raises
    ------
    InputError
        No torsion, or no part of a turn.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm import unit
    >>> from openmm_neuralmd.hybrid import Torsion, TorsionNCMCMove
    >>> from openmmtools.states import SamplerState, ThermodynamicState
    >>> from openmmtools.testsystems import AlanineDipeptideVacuum
    >>> dipeptide = AlanineDipeptideVacuum()
    >>> target = ThermodynamicState(dipeptide.system, 300 * unit.kelvin)
    >>> sampler = SamplerState(dipeptide.positions)
    >>> psi = Torsion(np.array([6, 8, 14, 16]), np.arange(15, 22), np.full(36, 1 / 36))
    >>> move = TorsionNCMCMove([psi], n_turns=10, n_steps=2, timestep=0.001, seed=1)
    >>> move.apply(target, sampler)
    >>> move.n_proposed, bool(np.isfinite(move.last_work))  # kJ/mol
    (1, True)
    """

    def __init__(
        self,
        torsions: Sequence[Torsion],
        *,
        n_turns: int = 20,
        n_steps: int = 5,
        timestep: Any = 0.002,
        spread: float = 0.3,
        seed: int | None = None,
    ) -> None:
        super().__init__(torsions, seed)
        if n_turns < 1 or n_steps < 1:
            raise InputError("a nonequilibrium move needs one turn and one step or more")
        self.n_turns, self.n_steps, self.spread = int(n_turns), int(n_steps), float(spread)
        self.timestep = float(strip(timestep, unit.picosecond))
        self.last_work = float("nan")
        self._context: openmm.Context | None = None

    def _names(self) -> tuple[str, ...]:
        return ("seed", "n_turns", "n_steps", "timestep", "spread")

    def apply(
        self, thermodynamic_state: Any, sampler_state: Any, context_cache: Any = None
    ) -> None:
        """Propose once, and keep the proposal or the present positions.

        Parameters
        ----------
        thermodynamic_state : openmmtools.states.ThermodynamicState
        sampler_state : openmmtools.states.SamplerState
            Changed in place; velocities stay where the proposal is refused.  Velocities on the time
            of the positions, redrawn every few steps, would heat a leapfrog with a long time step.
        context_cache : openmmtools.cache.ContextCache, optional
            openmmtools' global one by default.
        """
        random = self.generator()
        target, _ = shared_cache(context_cache).get_context(thermodynamic_state)
        context = self._moving(thermodynamic_state, target)
        if sampler_state.box_vectors is not None and thermodynamic_state.is_periodic:
            context.setPeriodicBoxVectors(*sampler_state.box_vectors)
        context.setPositions(sampler_state.positions)
        temperature = thermodynamic_state.temperature
        context.setVelocitiesToTemperature(temperature, int(random.integers(1, 2**31 - 1)))
        start = context.getState(energy=True)
        torsion = self.torsions[random.integers(len(self.torsions))]
        angle = float(random.choice(WELL_TURNS) + self.spread * random.standard_normal())
        self.n_proposed += 1
        thermal = BOLTZMANN * temperature.value_in_unit(unit.kelvin)
        self.last_work = float("nan")
        try:
            self._drive(context, torsion, angle)
            end = context.getState(positions=True, velocities=True, energy=True)
            if not torsion.clashes(np.asarray(end.getPositions(asNumpy=True)._value)):
                self.last_work = _total(end) - _total(start)
        except openmm.OpenMMException:  # a coordinate is not a number
            pass
        self.n_failed += not np.isfinite(self.last_work)
        if np.log(random.random()) < -self.last_work / thermal:  # NaN is refused
            self.n_accepted += 1
            sampler_state.positions = end.getPositions(asNumpy=True)
            sampler_state.velocities = -end.getVelocities(asNumpy=True)

    def _drive(self, context: openmm.Context, torsion: Torsion, angle: float) -> None:
        """Run the protocol forward in time."""
        step = context.getIntegrator().step
        step(self.n_steps)
        for _ in range(self.n_turns):
            state = context.getState(positions=True, velocities=True)
            positions = np.asarray(state.getPositions(asNumpy=True)._value)
            velocities = np.asarray(state.getVelocities(asNumpy=True)._value)
            part = angle / self.n_turns
            context.setPositions(torsion.turned(positions, part))
            context.setVelocities(torsion.turned(positions, part, velocities))
            step(self.n_steps)

    def _moving(self, thermodynamic_state: Any, target: openmm.Context) -> openmm.Context:
        """The Context of the protocol: made once, on the platform of the target's."""
        if self._context is None:
            system = thermodynamic_state.get_system(remove_thermostat=True, remove_barostat=True)
            for index in reversed(range(system.getNumForces())):
                # it changes velocities on the way, which has no way back
                if isinstance(system.getForce(index), openmm.CMMotionRemover):
                    system.removeForce(index)
            self._context = context_like(target, system, VelocityVerletIntegrator(self.timestep))
        return self._context


def _energy(context: openmm.Context) -> float:
    return kilojoules(context.getState(energy=True).getPotentialEnergy())


def _total(state: openmm.State) -> float:
    return kilojoules(state.getPotentialEnergy()) + kilojoules(state.getKineticEnergy())


def _velocities(sampler_state: Any) -> Array | None:
    if sampler_state.velocities is None:
        return None
    return np.array(sampler_state.velocities.value_in_unit(NM_PER_PS))
