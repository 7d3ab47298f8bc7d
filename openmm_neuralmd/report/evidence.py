"""The data of a report and of a validity card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..analysis.evaluation import NO_CHEMISTRY, Chemistry
from ..analysis.record import Record
from ..assessment.check import Check
from ..model import ModelCard
from ..structure.complex import Complex
from .names import baselines
from .speed import Speed


@dataclass(frozen=True)
class Evidence:
    """An assessment with the model, complex and chemistry that it was made with.

    Attributes
    ----------
    result : dict
        The content of `validation.json`.
    record : Record
        The forecasts and the truth.
    card : ModelCard
    complex : Complex
        For the view of the pocket and the names of atoms.
    chemistry : Chemistry
        For PoseBusters and ProLIF, as far as it is known.
    speed : Speed, optional
    judged : sequence of Check
        Further checks for the card: mechanics, and those of a result file.

    Examples
    --------
    >>> evidence.model, evidence.complex.name
    ('neuralmd-ode', 'gpcr-ergotamine')
    >>> evidence.best_baseline("mae") in evidence.baselines
    True
    """

    result: Mapping[str, Any]
    record: Record
    card: ModelCard
    complex: Complex
    chemistry: Chemistry = NO_CHEMISTRY
    speed: Speed | None = None
    judged: Sequence[Check] = ()

    @property
    def model(self) -> str:
        """Name of the model among the methods: its kind."""
        return self.card.kind

    @cached_property
    def baselines(self) -> list[str]:
        """Names of the naive baselines that were assessed beside the model."""
        return baselines(self.result["errors"])

    def best_baseline(self, metric: str) -> str:
        """Name of the naive baseline that is best in a metric."""
        sign = -1 if metric == "stability" else 1
        return min(self.baselines, key=lambda name: sign * self.result["errors"][name][metric][0])

    def ensemble(self, method: str, metric: str) -> float | None:
        """Mean of a metric of a method's ensemble; None if it was not measured."""
        values = self.result["ensembles"].get(method, {}).get(metric)
        return float(values[0]) if values else None

    @cached_property
    def atoms(self) -> list[str]:
        """Names of the ligand atoms that the model moves."""
        atoms = list(self.complex.topology.atoms())
        return [atoms[i].name for i in self.complex.ligand_sites]
