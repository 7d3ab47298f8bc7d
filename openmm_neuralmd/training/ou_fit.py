"""Fitting of NeuralMD-OU: class constants first, then each member of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import Field
from torch import Tensor

from ..dynamics.ou import NeuralOU
from .ou_objective import Example, example, frame_examples, log_rmsf_error, statistics_loss
from .run_statistics import RunStatistics
from .spring_fit import SpringFitSettings, descend, fit_class_constants


class OUFitSettings(SpringFitSettings):
    """Settings by which NeuralMD-OU is fitted.

    Attributes
    ----------
    frames : int
        Random snapshots of each complex that serve as given poses too.
    start_share : float
        Share of the steps that take the real start as the given pose.
    """

    frames: int = Field(20, ge=0)
    start_share: float = Field(0.25, ge=0, le=1)


def fit_constants(model: NeuralOU, examples: Sequence[Example], prior: float = 1e-3) -> float:
    """Maximum likelihood of the class constants, without the network; the loss that is reached."""

    def losses() -> list[Tensor]:
        return [statistics_loss(model.gaussian(e.springs, None), e) for e in examples]

    return fit_class_constants(model, losses, prior)


def fit_member(
    model: NeuralOU,
    member: int,
    complexes: Sequence[RunStatistics],
    settings: OUFitSettings,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train one member of the network; the class constants stay as they are."""
    generator = np.random.default_rng([settings.seed, member])
    starts = [example(c) for c in complexes]
    others = [frame_examples(c, settings.frames, generator) for c in complexes]

    def loss(k: int) -> Tensor:
        frame = others[k] and generator.random() > settings.start_share
        e = others[k][generator.integers(len(others[k]))] if frame else starts[k]
        g = model(e.springs, member)
        return statistics_loss(g, e) + settings.rmsf_weight * log_rmsf_error(g, e)

    descend(model, member, loss, len(complexes), settings, generator, report)
