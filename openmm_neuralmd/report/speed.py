"""Speed as `validation/speedup.py` measured it, with what it says about the comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..errors import InputError
from ..settings_files import validated


class Repeats(BaseModel):
    """Simulated ns/day over repeats."""

    median: float
    least: float
    greatest: float


class Side(BaseModel):
    """One contestant."""

    ns_per_day: Repeats
    moving_atoms: int
    platform: str = ""


class Speed(BaseModel):
    """A result file of `validation/speedup.py`.

    Attributes
    ----------
    what : str
        What was timed.
    rows : dict
        Contestants by name.
    in_words : list of str
        What has to be known before a ratio is believed.
    model : str
        SHA-256 of the model that was timed.
    provenance : dict
        Machine, versions, command.
    """

    what: str
    rows: dict[str, Side]
    in_words: list[str]
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
