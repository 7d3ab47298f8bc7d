"""Scores of methods on one stretch of a trajectory that they have to forecast.

No method reads a snapshot later than the one that it forecasts from: it is given the known
snapshots alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..analysis.coordinates import Array
from ..analysis.evaluation import (
    NO_CHEMISTRY,
    Chemistry,
    Forecast,
    Made,
    Sampler,
    score,
    score_ensembles,
    score_halves,
)
from ..analysis.summaries import Scores
from ..model import Model
from ..trajectory.snapshots import Snapshots
from ..utils.files import sha256
from ..utils.progress import Advance, silent
from .contestants import learned_forecasts, learned_samplers, naive_forecasts, naive_samplers


@dataclass(frozen=True)
class Stretch:
    """A part of one replica that is to be forecast.

    Attributes
    ----------
    snapshots : Snapshots
        The replica.
    part : range
        The first snapshot to forecast, and the end.
    ahead, every : int
        Snapshots to forecast, and from one origin to the next.
    chemistry : Chemistry
        For PoseBusters and ProLIF.
    others : tuple of Tensor (T, n, 3)
        Other replicas of the same complex that naive baselines may learn from, Å.
    offset : int
        Index of the replica's first snapshot in the trajectory.
    """

    snapshots: Snapshots
    part: range
    ahead: int
    every: int
    chemistry: Chemistry = NO_CHEMISTRY
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
        """Bonds between the ligand's heavy atoms, (b, 2)."""
        return self.snapshots.complex.site_bonds


def learned_snapshots(model: Model, trajectory: Path) -> int:
    """Count the first snapshots of this file that a model was trained on."""
    own = sha256(trajectory)
    used = [d["training_snapshots"][1] for d in model.card.data if d.get("sha256") == own]
    return max(used, default=0)


def methods(
    stretch: Stretch, model: Model | None, name: str | None = None
) -> tuple[dict[str, Forecast], dict[str, Sampler]]:
    """Forecasts and samplers of a model, or of the naive baselines for None."""
    if model is None:
        shared = stretch.bonds, stretch.others
        return naive_forecasts(*shared), naive_samplers(*shared)
    given = model, stretch.snapshots, name
    return learned_forecasts(*given), learned_samplers(*given)


def assess(
    stretch: Stretch,
    model: Model | None = None,
    advance: Advance = silent,
    keep: Callable[[Made], None] | None = None,
    name: str | None = None,
) -> tuple[Scores, Scores]:
    """Score a model, or the naive baselines for None, on a stretch.

    The scores of the baselines have a row for one half of the truth as a forecast of the other
    (`evaluation.HALVES`).

    Parameters
    ----------
    advance : callable
        Called for every forecast and every ensemble, see `steps`.
    keep : callable, optional
        Called with every forecast, see `evaluation.score`.
    name : str, optional
        Name of the model among the methods; its kind by default.

    Returns
    -------
    errors, ensembles : Scores
        Errors at every origin, and one row for the ensemble of the whole stretch.

    Raises
    ------
    ModelError
        The model does not know the ligand's elements, or has another interval.
    """
    snapshots = stretch.snapshots
    if model is not None:
        model.check(snapshots.complex, snapshots.interval_ps)
    forecasts, samplers = methods(stretch, model, name)
    errors = score(forecasts, snapshots.ligand, stretch.origins, stretch.bonds, advance, keep)
    whole = [(range(stretch.part.start), stretch.part)]
    truth = snapshots.ligand, whole, stretch.bonds, stretch.chemistry
    ensembles = score_ensembles(samplers, *truth, advance)
    if model is None:
        ensembles |= score_halves(*truth)
    return errors, ensembles


def steps(stretch: Stretch, model: Model | None = None) -> int:
    """Number of times that `assess` calls `advance`."""
    forecasts, samplers = methods(stretch, model)
    return len(stretch.origins) * len(forecasts) + len(samplers)
