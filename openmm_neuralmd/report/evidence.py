"""Everything that a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..analysis.evaluation import Chemistry
from ..analysis.record import Record
from ..model import ModelCard
from ..structure.complex import Complex
from .checks import Check
from .names import trivial
from .speed import Speed


@dataclass(frozen=True)
class Evidence:
    """An assessment and what it was made with.

    Attributes
    ----------
    result : dict
        What `validation.json` holds.
    record : Record
        The forecasts and the truth.
    card : ModelCard
    complex : Complex
        For the view of the pocket and the names of atoms.
    chemistry : Chemistry, optional
        For interactions.
    speed : Speed, optional
    judged : sequence of Check
        Checks that other programs made, such as `validation/conservation.py`.
    """

    result: Mapping[str, Any]
    record: Record
    card: ModelCard
    complex: Complex
    chemistry: Chemistry | None = None
    speed: Speed | None = None
    judged: Sequence[Check] = ()

    @property
    def model(self) -> str:
        """The model's name among the methods: its kind."""
        return self.card.kind

    @cached_property
    def trivial(self) -> list[str]:
        """The trivial forecasts beside it."""
        return trivial(self.result["errors"])

    def best_trivial(self, metric: str) -> str:
        """The trivial forecast that is best in a metric: least, or most of Stability."""
        sign = -1 if metric == "stability" else 1
        return min(self.trivial, key=lambda name: sign * self.result["errors"][name][metric][0])

    @cached_property
    def atoms(self) -> list[str]:
        """Names of the ligand's atoms that the model moves."""
        atoms = list(self.complex.topology.atoms())
        return [atoms[i].name for i in self.complex.ligand_sites]
