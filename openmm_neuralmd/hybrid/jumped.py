"""Record of a jump."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

JUMPED, FELL_BACK = "jump", "fallback"
FAILED = "failed"
"""Reason of a fallback: OpenMM could not go on."""
PARTS = ("jump", "hydrogens", "relaxation", "check")
"""Of a jump: forecast, placing it with its hydrogens, minimisation and MD after it, checks."""


@dataclass(frozen=True, eq=False)
class Jump:
    """Record of one jump and its outcome.

    Attributes
    ----------
    kind : 'jump' or 'fallback'
    reason, message : str
        Of a fallback: the check that failed (`checks.CHECKS`, or 'failed'), and its finding.
    energy : float
        kJ/mol: of the minimised pose after less that before, or the work of the dragging; NaN
        where there is none.
    raw, relaxed : (N, 3) float64, nm
        Positions as the model and the rebuilt hydrogens had them, and after the minimisation or
        the dragging (None where that failed).
    seconds : mapping of str to float
        Wall time of `PARTS`, of those that were come to.
    """

    kind: str
    reason: str
    message: str
    energy: float
    raw: np.ndarray
    relaxed: np.ndarray | None
    seconds: Mapping[str, float]
