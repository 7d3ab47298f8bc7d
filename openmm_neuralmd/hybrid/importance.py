"""Poses with importance weights in the all-atom energy, for exact averages where these exist.

A Gaussian about a pose, with a stiffness as its inverse covariance, is a distribution whose density
is known; a ligand that moves alone in a rigid protein has an energy for each of its draws.  Draws
can therefore be weighted by exp(−U/kT) over their density.  In a hundred dimensions such weights
collapse on one draw; annealed importance sampling (Neal, Stat. Comput. 11:125, 2001) brings each
draw to the all-atom energy by steps of hybrid Monte Carlo on the way and keeps the weights exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import openmm
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular

from ..errors import InputError
from ..units import BOLTZMANN
from .preconditioned import Trajectory, check_free

Array = NDArray[np.float64]

LEAST_SHARE, LEAST = 0.05, 10.0
"""Effective samples below this share of the draws, or below this number, are called a collapse."""
STEP = 0.3
"""Of the leapfrog, in units of the common period over 2π; see `PreconditionedHMCMove`."""


class WeightedPoses(NamedTuple):
    """Draws and their weights.

    Attributes
    ----------
    positions : (S, k, 3) float64, nm
        Of the atoms that were drawn.
    log_weights : (S,) float64
        Logarithms, up to a constant; −inf where the energy was not a number.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.hybrid import WeightedPoses
    >>> poses = WeightedPoses(np.zeros((3, 1, 3)), np.log([2.0, 1.0, 1.0]))
    >>> poses.weights.tolist(), round(poses.effective, 2)
    ([0.5, 0.25, 0.25], 2.67)
    """

    positions: Array
    log_weights: Array

    @property
    def weights(self) -> Array:
        """Weights (S,) with sum 1; all 0 if no draw has a finite energy."""
        top = self.log_weights.max()
        if not np.isfinite(top):
            return np.zeros(len(self.log_weights))
        weights = np.exp(self.log_weights - top)
        return np.asarray(weights / weights.sum())

    @property
    def effective(self) -> float:
        """Effective samples, (Σw)² / Σw² (Kish)."""
        squares = float((self.weights**2).sum())
        return 1.0 / squares if squares else 0.0

    @property
    def collapsed(self) -> bool:
        """True if the weights rest on too few draws for an average."""
        return self.effective < max(LEAST, LEAST_SHARE * len(self.log_weights))

    def summary(self) -> str:
        """One sentence on the use of their averages."""
        count = len(self.log_weights)
        if self.collapsed:
            return (
                f"weights collapsed: {count} draws are worth {self.effective:.1f} independent "
                "ones, and weighted averages may not be used"
            )
        return (
            f"{count} draws are worth {self.effective:.1f} independent ones; weighted averages "
            "are those of the all-atom energy of the ligand in the rigid protein"
        )


def weighted_poses(
    context: openmm.Context,
    atoms: Sequence[int],
    mean: ArrayLike,
    stiffness: ArrayLike,
    count: int,
    *,
    temperature: float = 300.0,
    stages: int = 1,
    steps: int = 3,
    seed: int = 1,
    advance: Callable[[], None] | None = None,
) -> WeightedPoses:
    """Draw poses from a Gaussian and weight them with the all-atom energy.

    Parameters
    ----------
    context : Context
        With all positions set; atoms that are not drawn stay there.  Free of constraints on the
        others, see `without_constraints`.
    atoms : sequence of int
        The k particles that are drawn.
    mean : (k, 3) float64, nm
    stiffness : (3k, 3k)
        kJ/mol/nm², positive definite; see `metric`.
    count : int
        Draws.
    temperature : float
        K.
    stages : int
        Of the way from the Gaussian to the all-atom energy; 1 is plain importance sampling.
    steps : int
        Leapfrog steps of the hybrid Monte Carlo between two stages.
    seed : int
    advance : callable, optional
        Called after each draw.

    Raises
    ------
    InputError
        A matrix that does not fit, constraints among the atoms, no draws or no stages.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.hybrid import WeightedPoses
    >>> poses = WeightedPoses(np.zeros((100, 1, 3)), np.zeros(100))
    >>> round(poses.effective), poses.collapsed
    (100, False)
    """
    centre, matrix = np.array(mean, dtype=np.float64), np.asarray(stiffness, dtype=np.float64)
    if matrix.shape != (3 * len(atoms),) * 2 or centre.shape != (len(atoms), 3):
        raise InputError(f"{len(atoms)} atoms need a mean and a stiffness of {3 * len(atoms)} rows")
    if count < 1 or stages < 1:
        raise InputError("weighted poses need one draw and one stage or more")
    check_free(context.getSystem(), atoms)
    thermal = BOLTZMANN * temperature
    factor: Array = np.asarray(np.linalg.cholesky(matrix / thermal), dtype=np.float64)
    bridge = _Bridge(Trajectory(context, list(atoms), factor, thermal), centre, factor)
    # Close stages at the Gaussian's end, where clashes make the energy huge
    shares = (np.arange(stages + 1) / stages) ** 4
    random = np.random.default_rng(seed)
    positions, log_weights = np.empty((count, *centre.shape)), np.empty(count)
    for row in range(count):
        positions[row], log_weights[row] = bridge.draw(shares, steps, random)
        if advance is not None:
            advance()
    return WeightedPoses(positions, log_weights)


class _Bridge:
    """Whitened coordinates z of a Gaussian, and the way from it to the all-atom energy."""

    def __init__(self, trajectory: Trajectory, centre: Array, factor: Array) -> None:
        self.trajectory, self.centre, self.factor = trajectory, centre, factor

    def place(self, z: Array) -> Array:
        """Positions (k, 3) in nm at z (3k,)."""
        shift = solve_triangular(self.factor, z, lower=True, trans="T", check_finite=False)
        return np.asarray(self.centre + shift.reshape(-1, 3))

    def look(self, z: Array) -> tuple[float, Array]:
        """Reduced all-atom energy and its force on z; infinite where it is not a number."""
        try:
            point = self.trajectory.at(self.place(z))
        except openmm.OpenMMException:  # a coordinate is not a number
            return np.inf, np.zeros_like(z)
        if not (np.isfinite(point.energy) and np.isfinite(point.force).all()):
            return np.inf, np.zeros_like(z)
        return point.energy, point.force

    def draw(self, shares: Array, steps: int, random: np.random.Generator) -> tuple[Array, float]:
        """One draw (k, 3) and the logarithm of its weight."""
        z: Array = random.standard_normal(len(self.factor))
        energy, force = self.look(z)
        log_weight = 0.0
        for before, share in pairwise(shares.tolist()):
            log_weight += (share - before) * (z @ z / 2.0 - energy)
            if not np.isfinite(log_weight):
                return self.place(z), -np.inf
            if share < 1.0:
                z, energy, force = self.step(z, energy, force, share, steps, random)
        return self.place(z), float(log_weight)

    def step(
        self,
        z: Array,
        energy: float,
        force: Array,
        share: float,
        steps: int,
        random: np.random.Generator,
    ) -> tuple[Array, float, Array]:
        """Run hybrid Monte Carlo at one stage, which keeps its distribution invariant."""
        momentum: Array = random.standard_normal(len(z))
        step = STEP * random.uniform(0.8, 1.2)
        start = (1.0 - share) * (z @ z) / 2.0 + share * energy + momentum @ momentum / 2.0
        y, reached, pull, p = z, energy, force, momentum
        for _ in range(steps):
            p = p + 0.5 * step * (share * pull - (1.0 - share) * y)
            y = y + step * p
            reached, pull = self.look(y)
            p = p + 0.5 * step * (share * pull - (1.0 - share) * y)
        end = (1.0 - share) * (y @ y) / 2.0 + share * reached + p @ p / 2.0
        if np.log(random.random()) < start - end:
            return y, reached, pull
        return z, energy, force
