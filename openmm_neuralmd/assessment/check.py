"""A check of a model: one value, and the threshold that it is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from .thresholds import Threshold, read_thresholds


@cache
def thresholds() -> dict[str, Threshold]:
    """All thresholds, by the name of the check."""
    return read_thresholds()


@dataclass(frozen=True)
class Check:
    """The outcome of a check.

    Attributes
    ----------
    name : str
        Of its threshold.
    value : float or None
        None where nothing was measured.
    passed : bool or None
        None where the value is a figure to report and no more, or there is none.
    note : str
        Why it was not measured or not judged, and what else there is to know.
    """

    name: str
    value: float | None
    passed: bool | None
    note: str = ""

    @property
    def threshold(self) -> Threshold:
        """What it is held against."""
        return thresholds()[self.name]

    def as_dict(self) -> dict[str, Any]:
        """For a result file."""
        held = self.threshold
        return {
            "name": self.name,
            "what": held.what,
            "value": self.value,
            "unit": held.unit,
            "threshold": held.words(),
            "passed": self.passed,
            "note": self.note,
        }


def judged(name: str, value: float, note: str = "") -> Check:
    """A value held against its threshold; what is not a number does not pass."""
    finite = math.isfinite(value)
    passed = finite and thresholds()[name].passes(value)
    return Check(name, value if finite else None, passed, note)


def reported(name: str, value: float, note: str) -> Check:
    """A value that nothing is decided by, and why."""
    return Check(name, value, None, note)


def skipped(name: str, why: str) -> Check:
    """A check that says nothing about this model."""
    return Check(name, None, None, why)
