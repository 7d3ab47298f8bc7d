"""The checks that `neuralmd validate` makes from the scores of an assessment.

`CHECKS` is the registry: a check of your own is entered in one line and is then on the card:

    CHECKS["drift"] = lambda evidence: judge("drift", Threshold(...), value)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..analysis.evaluation import HALVES
from ..assessment.check import Check, judged, skipped

if TYPE_CHECKING:
    from .evidence import Evidence

ENOUGH = 20
"""Snapshots that each half of the truth needs before a distribution is compared with it."""
NO_INTERVAL = "too few forecasts for an interval"
UNDEFINED = "undefined for a forecast that does not move, or is too short"


def difference_to_best_baseline(metric: str, name: str, evidence: Evidence) -> Check:
    """Check the paired difference to the naive baseline that is best in a metric."""
    baseline = evidence.best_baseline(metric)
    difference = evidence.result["differences"][baseline][metric]
    return judged(name, difference) if len(difference) == 3 else skipped(name, NO_INTERVAL)


def forecast_metric(metric: str, name: str, evidence: Evidence) -> Check:
    """Check a metric of the model's forecasts."""
    value = evidence.result["errors"][evidence.model].get(metric)
    return judged(name, value) if value else skipped(name, UNDEFINED)


def ensemble_metric(metric: str, name: str, evidence: Evidence) -> Check:
    """Check a metric of the model's ensemble that is already relative to the MD."""
    own = evidence.ensemble(evidence.model, metric)
    if own is None:
        return skipped(name, UNDEFINED)
    if few := _too_few(evidence):
        return skipped(name, few)
    return judged(name, own)


def against_halves(
    compare: Callable[[float, float], float], metric: str, name: str, evidence: Evidence
) -> Check:
    """Check a metric of the ensemble against that of one half of the MD for the other half."""
    model, halves = (evidence.ensemble(who, metric) for who in (evidence.model, HALVES))
    if model is None or halves is None:
        return skipped(name, _why_none(evidence, metric))
    if few := _too_few(evidence):
        return skipped(name, few)
    return judged(name, compare(model, halves))


def posebusters_gap(name: str, evidence: Evidence) -> Check:
    """Check how far the pass rate of PoseBusters is below that of the MD's own snapshots."""
    metric = "posebusters"
    model, halves = (evidence.ensemble(who, metric) for who in (evidence.model, HALVES))
    if model is None or halves is None:
        return skipped(name, _why_none(evidence, metric))
    return judged(name, halves - model)


def _why_none(evidence: Evidence, metric: str) -> str:
    of_chemistry = metric == "posebusters" or metric.startswith("interaction")
    missing = evidence.chemistry.missing if of_chemistry else ""
    return missing or "undefined for this ligand"


def _too_few(evidence: Evidence) -> str:
    """Give the reason why distributions cannot be compared; empty if they can."""
    half = evidence.result["ensemble_snapshots"] // 2
    if half >= ENOUGH:
        return ""
    return f"each half of the MD has {half} snapshots; a comparison needs {ENOUGH}: use --from"


def _ratio(model: float, halves: float) -> float:
    return model / halves if halves else float("inf")


_MEASURES: dict[str, Callable[[str, Evidence], Check]] = {
    "rmse-against-naive": partial(difference_to_best_baseline, "rmse"),
    "stability-against-naive": partial(difference_to_best_baseline, "stability"),
    "valid-molecules": partial(forecast_metric, "bond_angle_validity"),
    "rmsf-ratio": partial(forecast_metric, "rmsf_ratio"),
    "rmsf-correlation": partial(forecast_metric, "rmsf_atom_correlation"),
    "ensemble-rmsf-ratio": partial(ensemble_metric, "future_rmsf_ratio"),
    "torsion-divergence-ratio": partial(against_halves, _ratio, "torsion_divergence"),
    "memory-ratio": partial(ensemble_metric, "time_ratio"),
    "posebusters-gap": posebusters_gap,
    "interaction-recovery-ratio": partial(against_halves, _ratio, "interaction_recovery"),
}
CHECKS: dict[str, Callable[[Evidence], Check]] = {
    name: partial(measure, name) for name, measure in _MEASURES.items()
}
"""Every check of the card that is made from an assessment, in the order of the card."""


def own_checks(evidence: Evidence) -> list[Check]:
    """Make all `CHECKS`."""
    return [check(evidence) for check in CHECKS.values()]
