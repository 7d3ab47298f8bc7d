"""An assessment: a model, its copy with F = 0 and the naive baselines on several stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..analysis.metrics import error_columns
from ..analysis.record import Record
from ..analysis.statistics import consecutive_clusters
from ..analysis.summaries import Scores, differences, summary
from ..model import Model
from ..utils.progress import Advance, silent
from .contestants import ABLATED, has_ablation, without_network
from .stretch import Stretch, assess, steps

Contestant = tuple[str | None, Model | None]
"""A name and a model; (None, None) for the naive baselines."""


@dataclass(frozen=True)
class Assessment:
    """Scores of a model beside the naive baselines.

    Attributes
    ----------
    result : dict
        Content of `validation.json`: means with intervals, see `evaluation.summary`.
    record : Record
        The forecasts themselves.
    """

    result: dict[str, Any]
    record: Record


def contestants(model: Model, ablation: bool = True) -> list[Contestant]:
    """The naive baselines, the model, and its copy with F = 0 where the model has a network head.

    Parameters
    ----------
    ablation : bool
        Whether the copy with F = 0 is wanted.
    """
    kind = model.card.kind
    copies = [(kind + ABLATED, without_network(model))] if ablation and has_ablation(model) else []
    return [(None, None), (kind, model), *copies]


def assessment_steps(model: Model, stretches: Sequence[Stretch], ablation: bool = True) -> int:
    """Return the number of times that `assess_all` calls `advance`."""
    return sum(steps(s, m) for s in stretches for _, m in contestants(model, ablation))


def assess_all(
    model: Model, stretches: Sequence[Stretch], advance: Advance = silent, ablation: bool = True
) -> Assessment:
    """Assess a model and the naive baselines on stretches of equal `ahead` and `every`.

    Parameters
    ----------
    advance : callable
        Called as by `assess`.
    ablation : bool
        Whether the model with F = 0 is assessed too.
    """
    errors: Scores = {}
    ensembles: Scores = {}
    record = Record()
    entered = contestants(model, ablation)
    for stretch in stretches:
        keep = partial(record.add, stretch.offset)
        for name, contestant in entered:
            new = assess(stretch, contestant, advance, keep, name)
            for into, scores in zip((errors, ensembles), new, strict=True):
                for method, rows in scores.items():
                    into.setdefault(method, []).extend(rows)
    result = _result(model, stretches, errors, ensembles, record)
    return Assessment(result, record)


def _result(
    model: Model,
    stretches: Sequence[Stretch],
    errors: Scores,
    ensembles: Scores,
    record: Record,
) -> dict[str, Any]:
    ahead, snapshots = stretches[0].ahead, stretches[0].snapshots
    # Forecasts that overlap in time share their truth: they are drawn together.
    length = -(-ahead // stretches[0].every)
    clusters = consecutive_clusters([len(s.origins) for s in stretches], length)
    columns = tuple(error_columns())
    return {
        "model": model.origin(),
        "complex": snapshots.complex.name,
        "interval_ps": snapshots.interval_ps,
        "ahead": ahead,
        "origins": len(clusters),
        "clusters": len(np.unique(clusters)),
        "ensemble_snapshots": min(len(s.part) for s in stretches),
        "errors": summary(errors, clusters),
        "differences": differences(errors, model.card.kind, columns, clusters),
        "ensembles": summary(ensembles),
        "rmsd_ahead": record.rmsd_ahead(clusters),
    }
