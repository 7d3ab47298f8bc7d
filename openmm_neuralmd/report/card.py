"""The validity card: the identity of a model, its checks, and their outcomes."""

from __future__ import annotations

from typing import Any

from openmm.app import Element

from ..analysis.metrics import error_columns
from ..assessment.check import OUTCOMES, Check
from ..model import ModelCard
from ..structure.residues import RESIDUE_TYPES
from .checks import own_checks
from .evidence import Evidence
from .verdict import verdict


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
