"""Speed as `validation/speedup.py` measured it, with what it says about the comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..errors import InputError
from ..utils.settings import validated


class Repeats(BaseModel):
    """A measurement over its repeats."""

    median: float
    least: float
    greatest: float


class Side(BaseModel):
    """One contestant."""

    ns_per_day: Repeats
    moving_atoms: int
    platform: str = ""
    independent_per_day: float | None = None


class Ratios(BaseModel):
    """A model over the best all-atom MD: in simulated time, and in independent samples."""

    at_model_interval: float
    per_independent_sample: float | None = None


class Speed(BaseModel):
    """A result file of `validation/speedup.py`.

    Attributes
    ----------
    what : str
        What was timed.
    rows : dict
        Contestants by name.
    ratio_to_fastest_all_atom : dict
        Of the contestants that are models.
    parts : dict
        Seconds of everything that a jump needs.
    in_words : list of str
        What has to be known before a ratio is believed.
    left_out : dict
        What could not be timed, and why.
    model : str
        SHA-256 of the model that was timed.
    provenance : dict
        Machine, versions, command.
    """

    what: str
    rows: dict[str, Side]
    ratio_to_fastest_all_atom: dict[str, Ratios] = {}
    parts: dict[str, Repeats] = {}
    in_words: list[str]
    left_out: dict[str, str] = {}
    model: str
    provenance: dict[str, Any] = {}


def read_speed(path: Path) -> Speed:
    """A result file of `validation/speedup.py`.

    Raises
    ------
    InputError
        Not such a file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable JSON file: {error}") from error
    return validated(Speed, content, str(path))
