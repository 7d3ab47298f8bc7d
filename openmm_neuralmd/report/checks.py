"""The checks of the validity card: a value, what it is held against, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from ..analysis.evaluation import HALVES
from ..assessment.thresholds import Threshold, read_thresholds
from ..errors import InputError
from ..utils.settings import validated

if TYPE_CHECKING:
    from .evidence import Evidence

Outcome = Literal["pass", "fail", "not measured"]
Value = list[float] | str
"""[value] or [mean, low, high]; in words, why there is none."""

NO_NOISE = "it draws no noise"
NO_INTERVAL = "too few forecasts for an interval"
NO_CHEMISTRY = "the protein's hydrogens or the ligand's bond orders are not known"


class Check(BaseModel):
    """A check and its outcome.

    Attributes
    ----------
    name, what : str
    value : list of float
        [value] or [mean, low, high]; empty where nothing was measured.
    unit : str
    threshold : str
        In words: '≤ 5 points'.
    outcome : {'pass', 'fail', 'not measured'}
    note : str
        Why nothing was measured, or where the threshold comes from.
    """

    name: str
    what: str
    value: list[float]
    unit: str
    threshold: str
    outcome: Outcome
    note: str = ""


def judge(name: str, held: Threshold, value: Value) -> Check:
    """A value held against its threshold; it passes if its whole interval does."""
    told = {"name": name, "what": held.what, "unit": held.unit, "threshold": held.words()}
    if isinstance(value, str):
        return Check(**told, value=[], outcome="not measured", note=value)
    outcome: Outcome = "pass" if all(map(held.passes, value)) else "fail"
    return Check(**told, value=value, outcome=outcome, note=held.source)


def own_checks(evidence: Evidence) -> list[Check]:
    """What `neuralmd validate` measures by itself, in the order of `VALUES`."""
    thresholds = read_thresholds()
    return [judge(name, thresholds[name], value(evidence)) for name, value in VALUES.items()]


def read_checks(path: Path) -> list[Check]:
    """Checks in a result file of `validation/conservation.py`, as it judged them.

    Raises
    ------
    InputError
        Not such a file.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["checks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a JSON file with 'checks': {error!r}") from error
    return [_judged(row) for row in validated(list[_Row], rows, f"{path}: checks")]


class _Row(BaseModel):
    """As `validation/conservation.py` writes it."""

    name: str
    what: str
    value: float | None
    unit: str
    threshold: str
    passed: bool | None
    note: str = ""


def _judged(row: _Row) -> Check:
    outcomes: dict[bool | None, Outcome] = {True: "pass", False: "fail", None: "not measured"}
    return Check(
        name=row.name,
        what=row.what,
        value=[] if row.value is None else [row.value],
        unit=row.unit,
        threshold=row.threshold,
        outcome=outcomes[row.passed],
        note=row.note,
    )


def _against_trivial(metric: str) -> Callable[[Evidence], Value]:
    """The paired difference to the trivial forecast that is best in a metric."""

    def value(evidence: Evidence) -> Value:
        found = evidence.result["differences"][evidence.best_trivial(metric)][metric]
        return list(found) if len(found) == 3 else NO_INTERVAL

    return value


def _error(metric: str) -> Callable[[Evidence], Value]:
    """A metric of the model's forecasts."""

    def value(evidence: Evidence) -> Value:
        found = evidence.result["errors"][evidence.model].get(metric)
        return list(found) if found else "undefined for a forecast that stands still, or too short"

    return value


def _ensemble(combine: Callable[[float, float], float], metric: str) -> Callable[[Evidence], Value]:
    """A metric of the model's ensemble, and of one half of the MD as a forecast of the other."""

    def value(evidence: Evidence) -> Value:
        ensembles: Mapping[str, Mapping[str, Sequence[float]]] = evidence.result["ensembles"]
        if evidence.model not in ensembles:
            return NO_NOISE
        rows: list[Any] = [ensembles[name].get(metric) for name in (evidence.model, HALVES)]
        if None in rows:
            return NO_CHEMISTRY if evidence.chemistry is None else "undefined for this ligand"
        model, halves = (row[0] for row in rows)
        return [combine(model, halves)]

    return value


def _alone(model: float, halves: float) -> float:
    return model


def _by(model: float, halves: float) -> float:
    return model / halves if halves else float("inf")


def _below(model: float, halves: float) -> float:
    return halves - model


VALUES: dict[str, Callable[[Evidence], Value]] = {
    "rmse-against-trivial": _against_trivial("rmse"),
    "stability-against-trivial": _against_trivial("stability"),
    "valid-molecules": _error("bond_angle_validity"),
    "rmsf-ratio": _error("rmsf_ratio"),
    "rmsf-correlation": _error("rmsf_atom_correlation"),
    "ensemble-rmsf-ratio": _ensemble(_alone, "rmsf_ratio"),
    "torsion-divergence-ratio": _ensemble(_by, "torsion_divergence"),
    "memory-ratio": _ensemble(_alone, "time_ratio"),
    "posebusters-gap": _ensemble(_below, "posebusters"),
    "interaction-recovery-ratio": _ensemble(_by, "interaction_recovery"),
}
"""How each check finds its value, by the name of its threshold."""
