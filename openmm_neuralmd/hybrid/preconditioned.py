"""`PreconditionedHMCMove`: exact hybrid Monte Carlo whose mass matrix is a stiffness.

Positions are sampled in coordinates y = Cᵀ x with stiffness / kT = C Cᵀ (Cholesky), where a
ligand with exactly that stiffness has one frequency for all its modes: bonds no longer limit the
step, and a quarter of a period of the softest mode takes a few evaluations (Girolami and
Calderhead, J. R. Stat. Soc. B 73:123, 2011, with a constant metric).  Forces and the Metropolis
test are those of the all-atom System, so that the distribution does not depend on the stiffness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import openmm
from numpy.typing import ArrayLike, NDArray
from openmm import unit
from scipy.linalg import solve_triangular

from ..errors import InputError
from ..units import BOLTZMANN
from .contexts import kilojoules, shared_cache
from .counted import CountedMove

Array = NDArray[np.float64]


ESCAPED = 1e6
"""A whitened force, which is of the order of 1 in a pose that occurs; beyond this none returns."""


class _Point(NamedTuple):
    """Whitened force (3k,) and reduced energy at positions (k, 3) nm."""

    x: Array
    force: Array
    energy: float


class PreconditionedHMCMove(CountedMove):
    """Hybrid Monte Carlo of some atoms, with a stiffness as mass matrix.

    With `n_steps` = 1 it is MALA.  All other atoms stand still during the move; alternate it with
    a move of everything.  Velocities are left as they are: without constraints they are
    independent of positions.

    Parameters
    ----------
    stiffness : (3k, 3k)
        kJ/mol/nm², positive definite; see `stiffness.metric`.
    atoms : sequence of int
        The k particles that move.
    n_steps : int
        Mean number of leapfrog steps of a proposal; each draws its own between half and 3/2.
    timestep : float
        In units of the common period over 2π: 1 is as long as all modes together can bear when
        the stiffness is right.
    jitter : float
        Relative half-width of the uniform distribution that the time step is drawn from.
    seed : int, optional

    Raises
    ------
    InputError
        Shapes that do not fit, a matrix that is not positive definite; from `apply`: constraints
        or virtual sites among the atoms.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.hybrid import PreconditionedHMCMove
    >>> move = PreconditionedHMCMove(1000.0 * np.eye(6), atoms=[0, 1], seed=1)
    >>> move.n_proposed
    0
    """

    def __init__(
        self,
        stiffness: ArrayLike,
        atoms: Sequence[int],
        *,
        n_steps: int = 4,
        timestep: float = 0.3,
        jitter: float = 0.2,
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        matrix = np.array(stiffness, dtype=np.float64)
        if matrix.shape != (3 * len(atoms),) * 2:
            raise InputError(f"{len(atoms)} atoms need a stiffness of {3 * len(atoms)} rows")
        if n_steps < 1 or not timestep > 0 or not 0 <= jitter < 1:
            raise InputError("a proposal needs one step or more, a positive time step, jitter < 1")
        try:
            self._factor = np.linalg.cholesky(matrix)
        except np.linalg.LinAlgError as error:
            raise InputError("the stiffness of a move must be positive definite") from error
        self.stiffness, self.atoms = matrix, [int(atom) for atom in atoms]
        self.n_steps, self.timestep, self.jitter = int(n_steps), float(timestep), float(jitter)

    def apply(
        self, thermodynamic_state: Any, sampler_state: Any, context_cache: Any = None
    ) -> None:
        """Propose once, and keep the proposal or the present state.

        Parameters
        ----------
        thermodynamic_state : openmmtools.states.ThermodynamicState
        sampler_state : openmmtools.states.SamplerState
            Its positions are changed in place.
        context_cache : openmmtools.cache.ContextCache, optional
            openmmtools' global one by default.
        """
        random = self.generator()
        context, _ = shared_cache(context_cache).get_context(thermodynamic_state)
        if self.n_proposed == 0:
            check_free(context.getSystem(), self.atoms)
        sampler_state.apply_to_context(context, ignore_velocities=True)
        thermal = BOLTZMANN * thermodynamic_state.temperature.value_in_unit(unit.kelvin)
        trajectory = Trajectory(context, self.atoms, self._factor / np.sqrt(thermal), thermal)
        start = trajectory.point()
        momentum = random.standard_normal(start.force.size)
        step = self.timestep * (1.0 + self.jitter * random.uniform(-1.0, 1.0))
        count = int(
            random.integers(max(1, self.n_steps // 2), self.n_steps + self.n_steps // 2 + 1)
        )
        self.n_proposed += 1
        end = trajectory.run(start, momentum, step, count)
        if end is None:
            self.n_failed += 1
            return
        point, last = end
        change = point.energy - start.energy + (last @ last - momentum @ momentum) / 2.0
        if np.log(random.random()) < -change:  # NaN is refused
            self.n_accepted += 1
            positions = sampler_state.positions
            positions[self.atoms] = point.x * unit.nanometer
            sampler_state.positions = positions

    def __getstate__(self) -> dict[str, Any]:
        return {
            "stiffness": self.stiffness,
            "atoms": self.atoms,
            "n_steps": self.n_steps,
            "timestep": self.timestep,
            "jitter": self.jitter,
            "seed": self.seed,
            **self.statistics,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        names = ("n_steps", "timestep", "jitter", "seed")
        chosen = {name: state[name] for name in names}
        self.__init__(state["stiffness"], state["atoms"], **chosen)  # type: ignore[misc]
        self.statistics = state


class Trajectory:
    """Leapfrog in whitened coordinates, with the forces of a Context.

    Parameters
    ----------
    context : Context
        With all positions set.
    atoms : list of int
    factor : (3k, 3k)
        Lower triangle C, in 1/nm.
    thermal : float
        kT in kJ/mol.
    """

    def __init__(
        self, context: openmm.Context, atoms: list[int], factor: Array, thermal: float
    ) -> None:
        self.context, self.atoms = context, atoms
        self.factor, self.thermal = factor, thermal
        state = context.getState(positions=True)
        self._all = np.array(state.getPositions(asNumpy=True).value_in_unit(unit.nanometer))

    def point(self) -> _Point:
        """Force and energy where the Context is now."""
        state = self.context.getState(energy=True, forces=True)
        per_nm = unit.kilojoule_per_mole / unit.nanometer
        forces = np.asarray(state.getForces(asNumpy=True).value_in_unit(per_nm))[self.atoms]
        reduced = forces.ravel() / self.thermal
        force = solve_triangular(self.factor, reduced, lower=True, check_finite=False)
        energy = kilojoules(state.getPotentialEnergy()) / self.thermal
        return _Point(self._all[self.atoms].copy(), force, energy)

    def at(self, x: Array) -> _Point:
        """Force and energy with the atoms at x (k, 3) nm."""
        self._all[self.atoms] = x
        self.context.setPositions(self._all)
        return self.point()

    def run(
        self, start: _Point, momentum: Array, step: float, count: int
    ) -> tuple[_Point, Array] | None:
        """The point and momentum after some steps; None where the energy is not a number."""
        point, p = start, momentum.copy()
        for _ in range(count):
            p = p + 0.5 * step * point.force
            shift = solve_triangular(
                self.factor, step * p, lower=True, trans="T", check_finite=False
            )
            try:
                point = self.at(point.x + shift.reshape(-1, 3))
            except openmm.OpenMMException:  # a coordinate is not a number
                return None
            if not np.isfinite(point.energy) or not np.abs(point.force).max() < ESCAPED:
                return None
            p = p + 0.5 * step * point.force
        return point, p


def check_free(system: openmm.System, atoms: Sequence[int]) -> None:
    """Refuse atoms that cannot move freely.

    Raises
    ------
    InputError
        A constraint or virtual site among them, or an atom that the System does not have.
    """
    count, chosen = system.getNumParticles(), set(atoms)
    for atom in chosen:
        if not 0 <= atom < count or system.isVirtualSite(atom):
            raise InputError(f"particle {atom} is not one of the System that can move by itself")
    for n in range(system.getNumConstraints()):
        i, j, _ = system.getConstraintParameters(n)
        if i in chosen or j in chosen:
            raise InputError(
                f"particles {i} and {j} have a constraint, which a stiffness cannot keep; "
                "sample without_constraints(system, atoms): stiff bonds cost this move nothing"
            )
