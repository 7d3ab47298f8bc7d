"""Checks of a model's mechanics, each a value held against a threshold in data/thresholds.yaml."""

from ..check import (
    Check,
    judged,
    reported,
    skipped,
    thresholds,
)
from .conservation import conservation
from .nve import NVESettings, nve

__all__ = [
    "Check",
    "NVESettings",
    "conservation",
    "judged",
    "nve",
    "reported",
    "skipped",
    "thresholds",
]
