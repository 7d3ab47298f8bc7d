"""What `neuralmd validate` finds out: a model beside the trivial forecasts, on many stretches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..analysis.evaluation import Scores, differences, summary
from ..analysis.markdown import ERRORS
from ..analysis.record import Record
from ..analysis.statistics import consecutive_clusters
from ..model import Model
from ..utils.progress import Advance, silent
from .stretch import Stretch, assess


@dataclass(frozen=True)
class Assessment:
    """A model beside the trivial forecasts.

    Attributes
    ----------
    result : dict
        What `validation.json` holds: means with intervals, see `evaluation.summary`.
    record : Record
        The forecasts themselves.
    """

    result: dict[str, Any]
    record: Record


def assess_all(model: Model, stretches: Sequence[Stretch], advance: Advance = silent) -> Assessment:
    """The model and the trivial forecasts on stretches of equal `ahead` and `every`.

    Parameters
    ----------
    advance : callable
        Told as by `assess`.
    """
    errors: Scores = {}
    ensembles: Scores = {}
    record = Record()
    for stretch in stretches:
        keep = partial(record.add, stretch.offset)
        for contestant in (None, model):
            new = assess(stretch, contestant, advance, keep)
            for into, scores in zip((errors, ensembles), new, strict=True):
                for name, rows in scores.items():
                    into.setdefault(name, []).extend(rows)
    ahead = stretches[0].ahead
    # Forecasts that overlap in time share their truth: they are drawn together.
    length = -(-ahead // stretches[0].every)
    clusters = consecutive_clusters([len(s.origins) for s in stretches], length)
    snapshots = stretches[0].snapshots
    result = {
        "model": {"name": model.card.name, "kind": model.card.kind, "sha256": model.sha256},
        "complex": snapshots.complex.name,
        "interval_ps": snapshots.interval_ps,
        "ahead": ahead,
        "origins": len(clusters),
        "clusters": len(np.unique(clusters)),
        "errors": summary(errors, clusters),
        "differences": differences(errors, model.card.kind, tuple(ERRORS), clusters),
        "ensembles": summary(ensembles),
        "rmsd_ahead": record.rmsd_ahead(clusters),
    }
    return Assessment(result, record)
