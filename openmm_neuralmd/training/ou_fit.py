"""Fitting of NeuralMD-OU to the mean and covariance of runs: class constants, then each member."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ..dynamics.ou import Gaussian, NeuralOU, negative_log_likelihood
from ..dynamics.springs import Springs, springs
from .run_statistics import RunStatistics
from .spring_fit import SpringFitSettings, descend, fit_class_constants


class Example(NamedTuple):
    """A given pose and the statistics of the runs relative to it.

    Attributes
    ----------
    springs : Springs
        Of the given pose.
    offset : Tensor (3n,)
        Mean of the runs minus the given pose, Å.
    covariance : Tensor (3n, 3n)
        About the mean of the runs, Å².
    """

    springs: Springs
    offset: Tensor
    covariance: Tensor


def example(c: RunStatistics, pose: np.ndarray | None = None) -> Example:
    """A complex with its start, or another pose (n, 3) in Å, as the given pose."""
    given = c.start if pose is None else pose
    return Example(
        springs(c.chemistry, given, c.pocket),
        torch.as_tensor((c.mean - given).reshape(-1)),
        torch.as_tensor(c.covariance),
    )


def frame_examples(c: RunStatistics, count: int, generator: np.random.Generator) -> list[Example]:
    """Random snapshots as given poses: the ensemble to be learned is the same."""
    frames = c.frames
    rows = generator.choice(len(frames), size=min(count, len(frames)), replace=False)
    return [example(c, frames[row]) for row in rows]


def statistics_loss(g: Gaussian, e: Example) -> Tensor:
    """Upper bound of the mean negative log-likelihood of all snapshots, nats per dof.

    ln(1 + maha/ν) is concave, so its mean is at most its value at the mean, and the mean needs
    only the first two moments of the runs.
    """
    away = e.offset - g.displacement
    maha = (g.stiffness * e.covariance).sum() + away @ g.stiffness @ away
    return negative_log_likelihood(g, maha, len(away))


def log_rmsf_error(g: Gaussian, e: Example) -> Tensor:
    """Variance over atoms of ln(predicted / true RMSF): the profile, whatever its scale."""
    n = len(e.offset) // 3
    variance = torch.diagonal(torch.linalg.inv(g.stiffness)).reshape(n, 3).sum(-1)
    truth = torch.diagonal(e.covariance).reshape(n, 3).sum(-1)
    error = 0.5 * torch.log(variance / truth)
    return error.var(correction=0)


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
