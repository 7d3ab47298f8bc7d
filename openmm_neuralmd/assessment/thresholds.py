"""Thresholds of the checks, read from `data/thresholds.yaml`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

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
