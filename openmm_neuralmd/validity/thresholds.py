"""A check of a model: one value, and the threshold that it is held against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Threshold(BaseModel):
    """What a value is held against; one entry of data/thresholds.yaml.

    Attributes
    ----------
    what : str
        What the value is.
    unit : str
    at_most : float
        The largest value that passes.
    source : str
        Where the threshold comes from ('from' in the file).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    unit: str
    at_most: float = Field(gt=0)
    source: str = Field(alias="from")


@cache
def thresholds() -> dict[str, Threshold]:
    """All thresholds, by the name of the check."""
    text = (resources.files("openmm_neuralmd") / "data" / "thresholds.yaml").read_text("utf-8")
    return {name: Threshold.model_validate(row) for name, row in yaml.safe_load(text).items()}


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
            "at_most": held.at_most,
            "passed": self.passed,
            "note": self.note,
        }


def judged(name: str, value: float, note: str = "") -> Check:
    """A value held against its threshold; what is not a number does not pass."""
    finite = math.isfinite(value)
    passed = finite and value <= thresholds()[name].at_most
    return Check(name, value if finite else None, passed, note)


def reported(name: str, value: float, note: str) -> Check:
    """A value that nothing is decided by, and why."""
    return Check(name, value, None, note)


def skipped(name: str, why: str) -> Check:
    """A check that says nothing about this model."""
    return Check(name, None, None, why)
