"""A model beside the trivial forecasts, on a stretch of a trajectory that it has to forecast.

Nothing here reads a snapshot later than the one it forecasts from: a method is given the known
snapshots alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..analysis.coordinates import Array
from ..analysis.evaluation import (
    Chemistry,
    Forecast,
    Made,
    Sampler,
    Scores,
    score,
    score_ensembles,
    score_halves,
)
from ..analysis.interactions import pocket_molecule
from ..analysis.poses import heavy_molecule
from ..dynamics.naive import AR1, TRIVIAL
from ..dynamics.registry import LEARNED
from ..model import Model
from ..rollouts import rollout
from ..trajectory.snapshots import Snapshots
from ..utils.files import sha256
from ..utils.progress import Advance, silent

FUTURES = 8
"""Drawn of what draws noise."""
SEED = 0
"""Of all that is drawn, and of the bootstrap."""
MEAN = " (mean of futures)"
"""Added to the name of a dynamics that draws noise, for the mean of `FUTURES` as one forecast."""


@dataclass(frozen=True)
class Stretch:
    """What is to be forecast of one replica: a cluster of the bootstrap.

    Attributes
    ----------
    snapshots : Snapshots
        The replica.
    part : range
        The first snapshot to forecast, and the end.
    ahead, every : int
        Snapshots to forecast, and from one origin to the next.
    chemistry : Chemistry, optional
        For PoseBusters and ProLIF.
    others : tuple of Tensor (T, n, 3)
        Other replicas of the same complex that trivial forecasts may learn from, Å.
    offset : int
        Index of the replica's first snapshot in the trajectory.
    """

    snapshots: Snapshots
    part: range
    ahead: int
    every: int
    chemistry: Chemistry | None = None
    others: tuple[Tensor, ...] = ()
    offset: int = 0

    @property
    def origins(self) -> list[tuple[range, range]]:
        """Known and future snapshots of every forecast."""
        last = self.part.stop - self.ahead
        return [
            (range(t), range(t, t + self.ahead))
            for t in range(self.part.start, last + 1, self.every)
        ]

    @property
    def bonds(self) -> Array:
        """Of the ligand's heavy atoms, (b, 2)."""
        return self.snapshots.complex.site_bonds


def learned_snapshots(model: Model, trajectory: Path) -> int:
    """How many snapshots of this very file, from its beginning, a model has learned from."""
    own = sha256(trajectory)
    used = [d["training_snapshots"][1] for d in model.card.data if d.get("sha256") == own]
    return max(used, default=0)


def trivial_forecasts(stretch: Stretch) -> dict[str, Forecast]:
    """The trivial methods, fitted at every origin on what may be known there."""
    bonds = torch.as_tensor(stretch.bonds)

    def forecast(name: str) -> Forecast:
        def made(known: Array, count: int) -> Array:
            history = torch.as_tensor(known)
            method = TRIVIAL[name].fit([*stretch.others, history], bonds=bonds, horizon=count)
            return method.forecast(history, count).numpy()

        return made

    return {name: forecast(name) for name in TRIVIAL}


def trivial_samplers(stretch: Stretch) -> dict[str, Sampler]:
    """AR(1) with its noise, and known stretches played again from anywhere."""
    bonds = torch.as_tensor(stretch.bonds)

    def ar1(known: Array, count: int) -> Array:
        history = torch.as_tensor(known)
        method = AR1.fit([*stretch.others, history], bonds=bonds, horizon=count)
        generator = torch.Generator().manual_seed(SEED)
        return np.stack([method.sample(history, count, generator).numpy() for _ in range(FUTURES)])

    def replay(known: Array, count: int) -> Array:
        rng = np.random.default_rng(SEED)
        starts = rng.integers(len(known), size=FUTURES)
        return np.stack([known[(start + np.arange(count)) % len(known)] for start in starts])

    return {"ar1": ar1, "replay": replay}


def learned_forecasts(model: Model, snapshots: Snapshots) -> dict[str, Forecast]:
    """The model's forecast; of one that draws noise, a single future and the mean of several."""
    kind = model.card.kind
    single = {kind: lambda known, count: rollout(model, snapshots.complex, known, count)}
    if not LEARNED[kind].stochastic:
        return single

    def mean(known: Array, count: int) -> Array:
        futures: Array = _futures(model, snapshots, known, count)
        return futures.mean(0)

    return {**single, kind + MEAN: mean}


def learned_samplers(model: Model, snapshots: Snapshots) -> dict[str, Sampler]:
    """Futures of a model, if it draws noise."""
    kind = model.card.kind
    if not LEARNED[kind].stochastic:
        return {}
    return {kind: lambda known, count: _futures(model, snapshots, known, count)}


def _futures(model: Model, snapshots: Snapshots, known: Array, count: int) -> Array:
    return rollout(model, snapshots.complex, known, count, replicas=FUTURES, seed=SEED)


def assess(
    stretch: Stretch,
    model: Model | None = None,
    advance: Advance = silent,
    keep: Callable[[Made], None] | None = None,
) -> tuple[Scores, Scores]:
    """Errors at every origin, and ensembles of the whole stretch; for None of the trivial ones.

    Beside the trivial ensembles stands what the truth says of itself (`evaluation.HALVES`).

    Parameters
    ----------
    advance : callable
        Told about every forecast and every ensemble, see `steps`.
    keep : callable, optional
        Given every forecast, see `evaluation.score`.

    Raises
    ------
    ModelError
        The model does not know the ligand's elements, or is of another stride.
    """
    snapshots = stretch.snapshots
    if model is None:
        forecasts, samplers = trivial_forecasts(stretch), trivial_samplers(stretch)
    else:
        model.check(snapshots.complex, snapshots.interval_ps)
        forecasts = learned_forecasts(model, snapshots)
        samplers = learned_samplers(model, snapshots)
    errors = score(forecasts, snapshots.ligand, stretch.origins, stretch.bonds, advance, keep)
    whole = [(range(stretch.part.start), stretch.part)]
    judged = snapshots.ligand, whole, stretch.bonds, stretch.chemistry
    ensembles = score_ensembles(samplers, *judged, advance)
    if model is None:
        ensembles |= score_halves(*judged)
    return errors, ensembles


def steps(stretch: Stretch, model: Model | None = None) -> int:
    """How often `assess` calls `advance`."""
    if model is None:
        return len(stretch.origins) * len(TRIVIAL) + len(trivial_samplers(stretch))
    forecasts = len(learned_forecasts(model, stretch.snapshots))
    return len(stretch.origins) * forecasts + len(learned_samplers(model, stretch.snapshots))


def find_chemistry(sdf: Path | None, snapshots: Snapshots) -> Chemistry | None:
    """What PoseBusters and ProLIF need, of a reference set: start.pdb.gz stands beside its SDF."""
    if sdf is None or not (start := sdf.parent / "start.pdb.gz").is_file():
        return None
    complex = snapshots.complex
    molecule = heavy_molecule(sdf, complex.ligand_atomic_numbers)
    return Chemistry(molecule, pocket_molecule(start, complex, snapshots.ligand[0]))
