"""One check of a model: a measured value, its threshold, and the outcome."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from ..errors import InputError
from ..utils.settings import read_mapping, validated

FILE = Path(str(resources.files("openmm_neuralmd") / "data" / "thresholds.yaml"))


class Threshold(BaseModel):
    """A check's threshold.

    Attributes
    ----------
    what : str
        What the value is.
    threshold : float or (low, high)
        A pair where `better` is 'within'.
    unit : str
    better : {'below', 'above', 'within'}
    source : str
        Where the threshold comes from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    threshold: float | tuple[float, float]
    unit: str = ""
    better: Literal["below", "above", "within"]
    source: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.threshold, tuple) != (self.better == "within"):
            raise ValueError("'within' takes [low, high], 'below' and 'above' take one number")
        return self

    def passes(self, value: float) -> bool:
        """Test whether a value is on the right side, the threshold itself included."""
        if isinstance(self.threshold, tuple):
            return self.threshold[0] <= value <= self.threshold[1]
        return value <= self.threshold if self.better == "below" else value >= self.threshold

    def words(self) -> str:
        """The threshold as people read it: '≤ 5 points'."""
        unit = f" {self.unit}" if self.unit else ""
        if isinstance(self.threshold, tuple):
            return f"{self.threshold[0]:g} to {self.threshold[1]:g}{unit}"
        return f"{'≤' if self.better == 'below' else '≥'} {self.threshold:g}{unit}"


def read_thresholds(path: Path = FILE) -> dict[str, Threshold]:
    """Thresholds by the names of their checks.

    Raises
    ------
    InputError
        Naming the file and the first thing that is wrong in it.
    """
    return validated(dict[str, Threshold], read_mapping(path, str(FILE)), str(path))


Outcome = Literal["pass", "fail", "reported", "not measured"]
"""A 'reported' value is measured, and no threshold decides about it."""
OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "reported", "not measured")
_FORMER: dict[bool, Outcome] = {True: "pass", False: "fail"}


@cache
def thresholds() -> dict[str, Threshold]:
    """The thresholds of data/thresholds.yaml, by the names of their checks."""
    return read_thresholds()


class Check(BaseModel):
    """A check and its outcome.

    Attributes
    ----------
    name, what : str
        The name of the threshold, and a phrase that says what the value is.
    value : list of float
        [value] or [mean, low, high] with a 95 % interval; empty if there is no finite value.
    unit : str
    threshold : str
        The threshold in words: '≤ 5 points'.
    outcome : {'pass', 'fail', 'reported', 'not measured'}
    note : str
        Why the value was not measured or not judged, or how it was measured.
    source : str
        Where the threshold comes from.

    Examples
    --------
    >>> from openmm_neuralmd.assessment.check import judged
    >>> check = judged("posebusters-gap", 2.0)
    >>> check.outcome, check.threshold
    ('pass', '≤ 5 points')
    """

    model_config = ConfigDict(frozen=True)

    name: str
    what: str
    value: list[float] = []
    unit: str
    threshold: str
    outcome: Outcome
    note: str = ""
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _former_files(cls, content: Any) -> Any:
        """Convert values of version 0.1: one number or null, and 'passed' as the outcome."""
        if not isinstance(content, Mapping) or "passed" not in content:
            return content
        row = dict(content)
        passed, value = row.pop("passed"), row.get("value")
        undecided: Outcome = "not measured" if value is None else "reported"
        row["value"] = [] if value is None else [value]
        row["outcome"] = undecided if passed is None else _FORMER[passed]
        return row


def judge(name: str, threshold: Threshold, value: float | Sequence[float], note: str = "") -> Check:
    """Compare a value with a threshold.

    Parameters
    ----------
    name : str
    threshold : Threshold
    value : float or sequence of float
        One value, or [mean, low, high]. The check passes if all of them pass; a value that is not
        finite fails.
    note : str
    """
    values = [float(v) for v in (value if isinstance(value, Sequence) else [value])]
    finite = all(map(math.isfinite, values))
    passed = finite and all(map(threshold.passes, values))
    return _check(name, threshold, values if finite else [], "pass" if passed else "fail", note)


def judged(name: str, value: float | Sequence[float], note: str = "") -> Check:
    """Compare a value with the threshold of this name in data/thresholds.yaml; see `judge`."""
    return judge(name, thresholds()[name], value, note)


def reported(name: str, value: float, note: str) -> Check:
    """Report a value that no threshold decides about; `note` says why."""
    return _check(name, thresholds()[name], [value], "reported", note)


def skipped(name: str, why: str) -> Check:
    """Report that a check was not measured, and why."""
    return _check(name, thresholds()[name], [], "not measured", why)


def _check(name: str, held: Threshold, value: list[float], outcome: Outcome, note: str) -> Check:
    return Check(
        name=name,
        what=held.what,
        value=value,
        unit=held.unit,
        threshold=held.words(),
        outcome=outcome,
        note=note,
        source=held.source,
    )


def read_checks(path: Path) -> list[Check]:
    """Read the checks in a result file of `validation/conservation.py`.

    Raises
    ------
    InputError
        The file is not JSON, or has no valid list 'checks'.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["checks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a JSON file with 'checks': {error!r}") from error
    return validated(list[Check], rows, f"{path}: checks")
