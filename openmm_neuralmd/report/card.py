"""The validity card: the identity of a model, its checks, and their outcomes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from openmm.app import Element

from ..analysis.evaluation import HALVES
from ..analysis.metrics import error_columns
from ..assessment.check import OUTCOMES, Check, judged, skipped
from ..model import ModelCard
from ..structure.residues import RESIDUE_TYPES
from .evidence import Evidence
from .verdict import verdict

if TYPE_CHECKING:
    from .evidence import Evidence


def validity_card(evidence: Evidence) -> dict[str, Any]:
    """Content of `validity.json`.

    Returns
    -------
    dict
        ``model`` (see `about_model`), ``assessed_on``, ``verdict``, ``checks`` (see
        `Check`), ``counts`` of their outcomes, ``baselines`` (metrics of the naive baselines),
        ``speed`` or None, ``provenance``.

    Examples
    --------
    >>> from openmm_neuralmd.report import validity_card
    >>> card = validity_card(evidence)
    >>> card["counts"]["pass"] > 0, card["assessed_on"]["complex"]
    (True, 'gpcr-ergotamine')
    """
    result = evidence.result
    checks = all_checks(evidence)
    columns = error_columns()
    outcomes = [check.outcome for check in checks]
    keys = ("complex", "trajectory", "trajectory_seen_in_training", "ahead", "origins", "clusters")
    return {
        "model": about_model(evidence.card, result["model"]["sha256"]),
        "assessed_on": {key: result[key] for key in keys},
        "verdict": verdict(evidence)._asdict(),
        "counts": {name: outcomes.count(name) for name in OUTCOMES},
        "checks": [check.model_dump() for check in checks],
        "baselines": {
            name: {k: v for k, v in result["errors"][name].items() if k in columns}
            for name in evidence.baselines
        },
        "speed": None if evidence.speed is None else evidence.speed.model_dump(),
        "provenance": result["provenance"],
    }


def all_checks(evidence: Evidence) -> list[Check]:
    """Checks of the assessment, then those of the mechanics and of result files."""
    return [*own_checks(evidence), *evidence.judged]


def about_model(card: ModelCard, sha256: str) -> dict[str, Any]:
    """Identity of a model and its training data, in symbols and units."""
    return {
        "name": card.name,
        "kind": card.kind,
        "sha256": sha256,
        "interval_ps": card.interval_ps,
        "temperature_K": card.temperature_K,
        "elements": [Element.getByAtomicNumber(z).symbol for z in card.elements],
        "residue_types": [RESIDUE_TYPES[k] for k in card.residue_types],
        "trained_on": card.data,
        "seed": card.training.get("seed"),
        "versions": card.versions,
    }


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
