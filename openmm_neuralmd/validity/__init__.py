"""Checks of a model's mechanics, each a value held against a threshold in data/thresholds.yaml."""

from .conservation import conservation
from .nve import NVESettings, nve
from .thresholds import Check, Threshold, judged, reported, skipped, thresholds

__all__ = [
    "Check",
    "NVESettings",
    "Threshold",
    "conservation",
    "judged",
    "nve",
    "reported",
    "skipped",
    "thresholds",
]
