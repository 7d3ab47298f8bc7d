"""Naive baselines: five forecasts without a network, which a learned model has to beat.

Published tables of this line of work do not report them, although the mean of the last few
snapshots beats most models.  Every class has the same two methods: `fit` reads the training part,
`forecast` reads known snapshots, and neither sees anything else.  All of them turn and shift with
their input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..former import names_of
from ..structure.pairs import bonded_pairs
from .projection import project, reference_lengths
from .recent_window import WINDOWS, best_window, checked_history, long_enough


class NaiveBaseline(Protocol):
    """The methods that every naive baseline has."""

    title: ClassVar[str]

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> NaiveBaseline:
        """Read the training part.

        Parameters
        ----------
        segments : sequence of Tensor (T_k, n, 3)
            Training snapshots in Å, one tensor for each stretch without a replica break.
        bonds : Tensor (b, 2), int64
            Bonds of the n atoms.
        horizon : int
            How many snapshots ahead the forecast will be asked to go.
        """

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Forecast the next `snapshots` snapshots.

        Parameters
        ----------
        known : Tensor (T, n, 3)
            Known snapshots in Å, oldest first, without a replica break.
        snapshots : int
            How many to forecast.

        Returns
        -------
        Tensor (snapshots, n, 3)
        """


@dataclass(frozen=True)
class Persistence:
    """Forecast that repeats the last known snapshot."""

    title: ClassVar[str] = "standing still"

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> Persistence:
        """Do nothing: this baseline has no parameter."""
        return cls()

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the last of `known`, see `NaiveBaseline.forecast`."""
        return _repeat(checked_history(known)[-1], snapshots)


@dataclass(frozen=True)
class MeanStructure:
    """The mean of all known snapshots: the best constant if the ligand has no memory."""

    title: ClassVar[str] = "mean structure"

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> MeanStructure:
        """Do nothing: this baseline has no parameter."""
        return cls()

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the mean of `known`, see `NaiveBaseline.forecast`."""
        return _repeat(checked_history(known).mean(0), snapshots)


@dataclass(frozen=True)
class RecentMean:
    """The mean of the last `w` known snapshots, or of all where fewer are known."""

    title: ClassVar[str] = "recent mean"

    w: int

    def __post_init__(self) -> None:
        if self.w < 1:
            raise InputError(f"A recent mean over {self.w} snapshots is empty: choose w ≥ 1.")

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> RecentMean:
        """Choose w among `WINDOWS` by rolling origins inside the training part."""
        return cls(best_window(segments, horizon))

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the recent mean, see `NaiveBaseline.forecast`."""
        return _repeat(checked_history(known)[-self.w :].mean(0), snapshots)


@dataclass(frozen=True, eq=False)
class ProjectedRecentMean:
    """The recent mean with its bonds and angles repaired: valid, and hard to beat.

    An average of turned groups shrinks; sweeps of position-based projection bring the 1–2 and
    1–3 distances back to their means over the known snapshots.
    """

    title: ClassVar[str] = "projected recent mean"

    w: int
    pairs: Tensor
    sweeps: int = 50

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> ProjectedRecentMean:
        """Choose w as `RecentMean.fit` does, and note which distances to keep."""
        pairs = torch.from_numpy(bonded_pairs(bonds.cpu(), segments[0].size(1)))
        return cls(best_window(segments, horizon), pairs)

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the repaired recent mean, see `NaiveBaseline.forecast`."""
        mean = RecentMean(self.w).forecast(known, 1)
        pairs = self.pairs.to(known.device)
        repaired = project(mean, pairs, reference_lengths(known, pairs), self.sweeps)
        return _repeat(repaired[0], snapshots)


__all__ = [
    "AR1",
    "NAIVE",
    "WINDOWS",
    "MeanStructure",
    "NaiveBaseline",
    "Persistence",
    "ProjectedRecentMean",
    "RecentMean",
    "best_window",
]

__getattr__ = names_of(__name__)


def _repeat(snapshot: Tensor, snapshots: int) -> Tensor:
    """Repeat one snapshot `snapshots` times: (snapshots, n, 3)."""
    return snapshot.expand(snapshots, *snapshot.shape).clone()


@dataclass(frozen=True, eq=False)
class AR1:
    """First-order autoregression: each atom relaxes to its mean, x' = μ + φ (x − μ) + σ ξ.

    φ and σ are one number an atom, the same for its three coordinates, so that the forecast
    turns with the complex.  μ is the mean of the snapshots known at the time of the forecast.

    Parameters
    ----------
    phi : Tensor (n,)
        Share of the deviation that is left after one snapshot, 0 … 1.
    sigma : Tensor (n,)
        Standard deviation of the noise of one snapshot per coordinate, Å.
    """

    title: ClassVar[str] = "AR(1)"

    phi: Tensor
    sigma: Tensor

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> AR1:
        """Least squares over successive snapshots, each segment about its own mean.

        An atom that never moves has φ = 0 and σ = 0.  Where least squares gives less than 0 or
        more than 1, the nearest φ that relaxes is taken.
        """
        pairs = [
            (centred[:-1], centred[1:])
            for segment in long_enough(segments)
            for centred in [segment - segment.mean(0)]
        ]
        before = torch.cat([pair[0] for pair in pairs])
        after = torch.cat([pair[1] for pair in pairs])
        variance = (before * before).sum((0, 2))
        covariance = (before * after).sum((0, 2))
        moving = variance > 0
        phi = torch.where(moving, covariance / torch.where(moving, variance, 1.0), 0.0)
        phi = phi.clamp(0.0, 1.0)
        residual = after - phi[:, None] * before
        return cls(phi, residual.square().mean((0, 2)).sqrt())

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Relax without noise: the mean of all futures, see `naive.NaiveBaseline.forecast`."""
        mean = checked_history(known).mean(0)
        steps = torch.arange(1, snapshots + 1, device=known.device)
        left = self.phi.to(known) ** steps[:, None]
        return mean + left[:, :, None] * (known[-1] - mean)

    def sample(self, known: Tensor, snapshots: int, generator: torch.Generator) -> Tensor:
        """Draw one future with noise.

        Parameters
        ----------
        known : Tensor (T, n, 3)
            Known snapshots, Å.
        snapshots : int
            How many to draw.
        generator : torch.Generator
            Source of the noise, on the device of `known`.

        Returns
        -------
        Tensor (snapshots, n, 3)
        """
        mean = checked_history(known).mean(0)
        phi, sigma = self.phi.to(known)[:, None], self.sigma.to(known)[:, None]
        noise = torch.empty(snapshots, *mean.shape, dtype=known.dtype, device=known.device)
        noise.normal_(generator=generator)
        deviation, drawn = known[-1] - mean, []
        for step in noise:
            deviation = phi * deviation + sigma * step
            drawn.append(mean + deviation)
        return torch.stack(drawn) if drawn else noise


NAIVE: dict[str, type[NaiveBaseline]] = {
    "persistence": Persistence,
    "mean": MeanStructure,
    "recent-mean": RecentMean,
    "projected-recent-mean": ProjectedRecentMean,
    "ar1": AR1,
}
"""Naive baselines by the name that tables and settings use."""
