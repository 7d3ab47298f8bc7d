"""The validity card: what a model is, what was checked, and what came of it."""

from __future__ import annotations

from typing import Any

from openmm.app import Element

from ..analysis.markdown import ERRORS
from ..model import ModelCard
from ..structure.residues import RESIDUE_TYPES
from .checks import Check, own_checks
from .evidence import Evidence
from .verdict import verdict


def validity_card(evidence: Evidence) -> dict[str, Any]:
    """What `validity.json` holds.

    Returns
    -------
    dict
        ``model`` (see `about_model`), ``assessed_on``, ``verdict``, ``checks`` (see
        `checks.Check`), ``counts`` of their outcomes, ``baselines`` (metrics of the trivial
        forecasts), ``speed`` or None, ``provenance``.
    """
    result = evidence.result
    checks = all_checks(evidence)
    outcomes = [check.outcome for check in checks]
    told = ("complex", "trajectory", "trajectory_seen_in_training", "ahead", "origins", "clusters")
    return {
        "model": about_model(evidence.card, result["model"]["sha256"]),
        "assessed_on": {key: result[key] for key in told},
        "verdict": verdict(evidence)._asdict(),
        "counts": {name: outcomes.count(name) for name in ("pass", "fail", "not measured")},
        "checks": [check.model_dump() for check in checks],
        "baselines": {
            name: {key: result["errors"][name][key] for key in ERRORS} for name in evidence.trivial
        },
        "speed": None if evidence.speed is None else evidence.speed.model_dump(),
        "provenance": result["provenance"],
    }


def all_checks(evidence: Evidence) -> list[Check]:
    """What was measured here, and what other programs had measured."""
    return [*own_checks(evidence), *evidence.judged]


def about_model(card: ModelCard, sha256: str) -> dict[str, Any]:
    """What a model is and on what it was trained, in symbols and units."""
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
