"""Display names of methods in tables and reports."""

from __future__ import annotations

from collections.abc import Collection

from ..assessment.contestants import ABLATED, ALONE, MEAN
from ..dynamics.naive import NAIVE
from ..model import kinds

OTHERS = {"replay": "replay of the known"}
"""Titles of what is in no registry."""


def title(method: str) -> str:
    """Display name of a method, with a suffix such as ', F = 0'.

    Examples
    --------
    >>> from openmm_neuralmd.report.names import title
    >>> title("neuralmd-sde (mean of futures)")
    'NeuralMD-SDE (mean of futures)'
    """
    kind = method.removesuffix(MEAN).removesuffix(ALONE).removesuffix(ABLATED)
    entry = kinds().get(kind) or NAIVE.get(kind)
    name = OTHERS.get(kind, kind) if entry is None else entry.title
    return name + method[len(kind) :]


def baselines(methods: Collection[str]) -> list[str]:
    """Select the naive baselines among some methods, in the order of their registry."""
    return [name for name in NAIVE if name in methods]
