"""Scores of forecasts and ensembles at many origins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rdkit import Chem

from .coordinates import Array
from .ensemble import ensemble_table
from .geometry import bond_angle_validity
from .interactions import Occupancies, occupancies, recovery
from .metrics import metrics_table
from .poses import pass_rates, pose_checks
from .summaries import Scores

if TYPE_CHECKING:
    import prolif

Sampler = Callable[[Array, int], Array]
"""Known snapshots (T, n, 3) and how many to draw, to several futures (R, S, n, 3), all in Å."""

POSES = 20
"""Snapshots of an ensemble that PoseBusters and ProLIF look at, evenly spaced."""
HALVES = "halves of the truth"
"""The ceiling: the first half of the true stretch as a forecast of the second."""

Forecast = Callable[[Array, int], Array]
"""Known snapshots (T, n, 3) and how many to forecast, to the forecast (S, n, 3), all in Å."""


class Made(NamedTuple):
    """Forecast with the truth of the same snapshots.

    Attributes
    ----------
    method : str
    future : range
        The snapshots that it forecasts.
    start : array (n, 3)
        The last known snapshot, Å.
    truth, predicted : array (S, n, 3)
        Å.
    """

    method: str
    future: range
    start: Array
    truth: Array
    predicted: Array


class Chemistry(NamedTuple):
    """Molecules for the checks of poses and interactions.

    Attributes
    ----------
    molecule : Mol, optional
        The ligand from `poses.heavy_molecule`.
    protein : prolif.Molecule, optional
        The pocket from `interactions.pocket_molecule`.
    missing : str
        Why one of them is missing; empty if both are known.
    """

    molecule: Chem.Mol | None = None
    protein: prolif.Molecule | None = None
    missing: str = ""


NO_CHEMISTRY = Chemistry(missing="the ligand's bond orders are not known; give --sdf")


def score(
    forecasts: Mapping[str, Forecast],
    ligand: Array,
    origins: Sequence[tuple[range, range]],
    bonds: Array,
    advance: Callable[[int, str], None] | None = None,
    keep: Callable[[Made], None] | None = None,
) -> Scores:
    """Score the forecasts of every method at every origin.

    A method is given the known snapshots alone, so it cannot read what comes after them.

    Parameters
    ----------
    forecasts : mapping of str to callable
        Methods by name.
    ligand : array (T, n, 3)
        The trajectory, Å.
    origins : sequence of (range, range)
        Known snapshots and those to forecast.
    bonds : array (b, 2)
        Bonds of the ligand, for the validity.
    advance : callable, optional
        Told about every forecast made.
    keep : callable, optional
        Given every forecast, which is else thrown away once it is scored.
    """
    scores: Scores = {name: [] for name in forecasts}
    for known, future in origins:
        history = ligand[known.start : known.stop].copy()
        truth = ligand[future.start : future.stop]
        for name, forecast in forecasts.items():
            predicted = forecast(history, len(future))
            scores[name].append(metrics_table(truth, predicted, bonds=bonds, reference=history))
            if keep is not None:
                keep(Made(name, future, ligand[known.stop - 1], truth, predicted))
            if advance is not None:
                advance(1, name)
    return scores


def score_ensembles(
    samplers: Mapping[str, Sampler],
    ligand: Array,
    stretches: Sequence[tuple[range, range]],
    bonds: Array,
    chemistry: Chemistry = NO_CHEMISTRY,
    advance: Callable[[int, str], None] | None = None,
) -> Scores:
    """Score the ensemble of every sampler on every stretch against the truth.

    A sampler is given the known snapshots alone.

    Parameters
    ----------
    samplers : mapping of str to callable
    ligand : array (T, n, 3)
        The trajectory, Å.
    stretches : sequence of (range, range)
        Known snapshots, and those whose distribution is asked for.
    bonds : array (b, 2)
        Bonds between heavy atoms.
    chemistry : Chemistry, optional
        PoseBusters' rate and the recovery of interactions are then in the rows too.
    advance : callable, optional
        Told about every ensemble drawn.

    Returns
    -------
    Scores
        Rows of `ensemble.ensemble_table`, with ``valid``, ``posebusters`` and those of
        `interactions.recovery` in %.
    """
    scores: Scores = {name: [] for name in samplers}
    for known, future in stretches:
        history = ligand[known.start : known.stop].copy()
        row = _Rows(ligand[future.start : future.stop], history, bonds, chemistry)
        for name, sampler in samplers.items():
            scores[name].append(row(sampler(history, len(future))))
            if advance is not None:
                advance(1, name)
    return scores


def score_halves(
    ligand: Array,
    stretches: Sequence[tuple[range, range]],
    bonds: Array,
    chemistry: Chemistry = NO_CHEMISTRY,
) -> Scores:
    """Score one half of the truth against the other as the ensemble `HALVES`."""
    scores: Scores = {HALVES: []}
    for known, future in stretches:
        truth = ligand[future.start : future.stop]
        half = len(truth) // 2
        row = _Rows(truth[half:], ligand[known.start : known.stop], bonds, chemistry)
        scores[HALVES].append(row(truth[None, :half]))
    return scores


class _Rows:
    """Scores of ensembles against one truth, whose interactions are computed once."""

    def __init__(self, truth: Array, history: Array, bonds: Array, chemistry: Chemistry) -> None:
        self.truth, self.history, self.bonds, self.chemistry = truth, history, bonds, chemistry
        self._true: Occupancies | None = None

    def __call__(self, futures: Array) -> dict[str, float]:
        replicas, length = futures.shape[:2]
        segments = [range(k * length, (k + 1) * length) for k in range(replicas)]
        together = futures.reshape(-1, *futures.shape[2:])
        row = ensemble_table(self.truth, together, bonds=self.bonds, predicted_segments=segments)
        row["valid"] = bond_angle_validity(together, self.bonds, self.history)
        molecule, protein, _ = self.chemistry
        if molecule is not None:
            some = spaced(together)
            row["posebusters"] = pass_rates(pose_checks(molecule, some))["all"]
            if protein is not None:
                if self._true is None:
                    self._true = occupancies(protein, molecule, spaced(self.truth))
                row |= recovery(self._true, occupancies(protein, molecule, some))
        return row


def spaced(snapshots: Array, count: int = POSES) -> Array:
    """Select `count` of the snapshots, evenly spaced."""
    return snapshots[np.linspace(0, len(snapshots) - 1, count).round().astype(int)]
