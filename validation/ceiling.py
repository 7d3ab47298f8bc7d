"""Comparison of two ways to simulate: their ensembles against each other and their repeats.

No model can be expected to agree with a reference better than a second run of the reference, or the
same force field in another program, agrees with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.analysis.ensemble import (
    correlation_time,
    rotatable_torsions,
    torsion_divergence,
)
from openmm_neuralmd.analysis.fluctuation import correlation, rmsf
from openmm_neuralmd.analysis.statistics import Interval
from openmm_neuralmd.errors import InputError

RESAMPLES = 200
FEWEST_BLOCKS = 4
"""In a run, at least."""

Measure = Callable[[Array, Array], float]
"""Of two runs (S, n, 3) of one ligand."""


class Agreement(NamedTuple):
    """One measure, between two sets of runs and inside each of them.

    Attributes
    ----------
    between : float
        Mean over pairs of runs of different sets.
    within : float
        Mean over pairs of runs of one set.
    excess : Interval
        `between` less `within`, with its 95 % interval.
    """

    between: float
    within: float
    excess: Interval


class Ceiling(NamedTuple):
    """Agreement of two sets of runs.

    Attributes
    ----------
    agreement : dict of str to Agreement
        ``rmsf_difference`` (mean over atoms of its absolute value, Å), ``rmsf_correlation``
        (Pearson's, over atoms), ``torsion_divergence`` (bits; not there for a ligand without
        rotatable bonds).
    rmsf_ratio : Interval
        Mean over atoms and runs of the RMSF, second set by first.
    block, blocks : int
        Snapshots drawn together, and how many such blocks the shortest run has.
    """

    agreement: dict[str, Agreement]
    rmsf_ratio: Interval
    block: int
    blocks: int


def ceiling(
    first: Sequence[Array],
    second: Sequence[Array],
    bonds: ArrayLike,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Ceiling:
    """Compare two sets of runs.

    Intervals are those of a bootstrap over blocks of successive snapshots, four integrated
    autocorrelation times long where the runs are long enough.  A divergence of finite samples is
    above 0 and grows by drawing; `within` has the same bias, so that their difference is what
    decides.

    Parameters
    ----------
    first, second : sequence of array (S, n, 3)
        Two runs or more on either side, Å, in the protein's frame.
    bonds : array (b, 2)
        Between these atoms.

    Raises
    ------
    InputError
        Fewer than two runs on a side, other atoms, or runs too short for blocks.
    """
    sides = [list(first), list(second)]
    _check(sides)
    every = [run for side in sides for run in side]
    measures = _measures(bonds, every[0].shape[1])
    shortest = min(len(run) for run in every)
    longest_memory = max(correlation_time(run) for run in every)
    block = max(1, min(round(4 * longest_memory), shortest // FEWEST_BLOCKS))
    point = _statistics(sides, measures)
    random = np.random.default_rng(seed)
    drawn = [
        _statistics([[_drawn(run, block, random) for run in side] for side in sides], measures)
        for _ in range(resamples)
    ]
    agreement = {}
    for name in measures:
        between, within = point[f"{name} between"], point[f"{name} within"]
        gaps = [row[f"{name} between"] - row[f"{name} within"] for row in drawn]
        agreement[name] = Agreement(between, within, _interval(between - within, gaps))
    ratio = _interval(point["ratio"], [row["ratio"] for row in drawn])
    return Ceiling(agreement, ratio, block, shortest // block)


def atom_rmsf(runs: Sequence[Array]) -> Array:
    """RMSF of each atom in each run, (R, n), Å."""
    return np.array([rmsf(run) for run in runs])


def _check(sides: list[list[Array]]) -> None:
    if min(len(side) for side in sides) < 2:
        raise InputError("two runs or more on either side: one alone does not say how sure it is")
    atoms = {run.shape[1] for side in sides for run in side}
    if len(atoms) > 1:
        raise InputError(f"runs of {' and '.join(map(str, sorted(atoms)))} atoms: take one ligand")
    shortest = min(len(run) for side in sides for run in side)
    if shortest < 2 * FEWEST_BLOCKS:
        raise InputError(f"a run of {shortest} snapshots is too short to be cut into blocks")


def _measures(bonds: ArrayLike, atoms: int) -> dict[str, Measure]:
    quadruples: NDArray[np.int64] = rotatable_torsions(bonds, atoms)
    measures: dict[str, Measure] = {
        "rmsf_difference": lambda a, b: float(np.abs(rmsf(a) - rmsf(b)).mean()),
        "rmsf_correlation": lambda a, b: correlation(rmsf(a), rmsf(b)),
    }
    if len(quadruples):
        measures["torsion_divergence"] = lambda a, b: torsion_divergence(a, b, quadruples)
    return measures


def _statistics(sides: list[list[Array]], measures: dict[str, Measure]) -> dict[str, float]:
    one, other = sides
    means = [atom_rmsf(side).mean() for side in sides]
    values = {"ratio": float(means[1] / means[0])}
    across = list(product(one, other))
    inside = [pair for side in sides for pair in combinations(side, 2)]
    for name, measure in measures.items():
        values[f"{name} between"] = float(np.mean([measure(a, b) for a, b in across]))
        values[f"{name} within"] = float(np.mean([measure(a, b) for a, b in inside]))
    return values


def _drawn(run: Array, block: int, random: np.random.Generator) -> Array:
    """Draw blocks of snapshots from the run until their number is that of the run."""
    starts = random.integers(len(run) - block + 1, size=-(-len(run) // block))
    rows = (starts[:, None] + np.arange(block)).ravel()[: len(run)]
    return run[rows]


def _interval(point: float, drawn: list[float]) -> Interval:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(point, float(low), float(high))
