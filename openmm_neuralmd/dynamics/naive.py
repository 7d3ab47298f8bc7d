"""Five forecasts that need no network: what a learned model has to beat.

No published table of this line of work reports them, and the mean of the last few snapshots
beats most models.  Each class has the same two doors, so that a registry treats all alike:
`fit` reads the training part, `forecast` reads known snapshots; neither sees anything else.
All of them turn and shift with their input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ..errors import InputError
from ..structure.pairs import bonded_pairs
from .projection import project, reference_lengths

WINDOWS = (3, 5, 10, 20, 50)
"""Lengths of the recent mean that `RecentMean.fit` chooses among, in snapshots."""


class Trivial(Protocol):
    """What every trivial forecaster offers."""

    title: ClassVar[str]

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> Trivial:
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
    """Nothing moves any more: the last known snapshot."""

    title: ClassVar[str] = "standing still"

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> Persistence:
        """Nothing to fit."""
        return cls()

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the last of `known`, see `Trivial.forecast`."""
        return _repeat(_checked(known)[-1], snapshots)


@dataclass(frozen=True)
class MeanStructure:
    """The mean of all known snapshots: the best constant if the ligand has no memory."""

    title: ClassVar[str] = "mean structure"

    @classmethod
    def fit(cls, segments: Sequence[Tensor], *, bonds: Tensor, horizon: int) -> MeanStructure:
        """Nothing to fit."""
        return cls()

    def forecast(self, known: Tensor, snapshots: int) -> Tensor:
        """Repeat the mean of `known`, see `Trivial.forecast`."""
        return _repeat(_checked(known).mean(0), snapshots)


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
        """Repeat the recent mean, see `Trivial.forecast`."""
        return _repeat(_checked(known)[-self.w :].mean(0), snapshots)


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
        """Repeat the repaired recent mean, see `Trivial.forecast`."""
        mean = RecentMean(self.w).forecast(known, 1)
        pairs = self.pairs.to(known.device)
        repaired = project(mean, pairs, reference_lengths(known, pairs), self.sweeps)
        return _repeat(repaired[0], snapshots)


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
            for segment in _long_enough(segments)
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
        """Relax without noise: the mean of all futures, see `Trivial.forecast`."""
        mean = _checked(known).mean(0)
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
        mean = _checked(known).mean(0)
        phi, sigma = self.phi.to(known)[:, None], self.sigma.to(known)[:, None]
        noise = torch.empty(snapshots, *mean.shape, dtype=known.dtype, device=known.device)
        noise.normal_(generator=generator)
        deviation, drawn = known[-1] - mean, []
        for step in noise:
            deviation = phi * deviation + sigma * step
            drawn.append(mean + deviation)
        return torch.stack(drawn) if drawn else noise


TRIVIAL: dict[str, type[Trivial]] = {
    "persistence": Persistence,
    "mean": MeanStructure,
    "recent-mean": RecentMean,
    "projected-recent-mean": ProjectedRecentMean,
    "ar1": AR1,
}
"""Trivial forecasters by the name that tables and settings use."""


def best_window(segments: Sequence[Tensor], horizon: int, windows: Sequence[int] = WINDOWS) -> int:
    """Length of the recent mean with the least error over rolling origins.

    From every snapshot that has `horizon` snapshots after it in its segment (fewer where no
    segment is that long), the mean of the last w forecasts them all; the w with the least mean
    RMSE wins, the shorter one if they are equal to 1e-9 Å.

    Parameters
    ----------
    segments : sequence of Tensor (T_k, n, 3)
        Training snapshots, Å; nothing else is read.
    horizon : int
        Snapshots ahead.
    windows : sequence of int
        Candidates.
    """
    segments = _long_enough(segments)
    ahead = min(horizon, max(len(segment) for segment in segments) - 1)
    usable = [segment for segment in segments if len(segment) > ahead]
    errors = {w: torch.cat([_origin_errors(s, w, ahead) for s in usable]).mean() for w in windows}
    return min(windows, key=lambda w: (round(float(errors[w]), 9), w))


def _origin_errors(segment: Tensor, w: int, ahead: int) -> Tensor:
    """RMSE of the recent mean from every origin of a segment, (T − ahead,)."""
    origins = len(segment) - ahead
    sums = torch.cat((torch.zeros_like(segment[:1]), segment.cumsum(0)))
    end = torch.arange(1, origins + 1, device=segment.device)
    begin = (end - w).clamp(min=0)
    means = (sums[end] - sums[begin]) / (end - begin)[:, None, None]
    # One lead time after the other: all at once would be `ahead` trajectories in memory.
    squared = torch.stack(
        [(segment[s : s + origins] - means).square().sum(-1).mean(1) for s in range(1, ahead + 1)]
    )
    return squared.mean(0).sqrt()


def _long_enough(segments: Sequence[Tensor]) -> list[Tensor]:
    """Segments with at least two snapshots; an error if there are none."""
    usable = [segment for segment in segments if len(segment) > 1]
    if not usable:
        raise InputError(
            "The training part has no two successive snapshots: give at least one stretch of two "
            "or more snapshots without a replica break."
        )
    return usable


def _checked(known: Tensor) -> Tensor:
    """Known snapshots, or an error that says what is wrong with them."""
    if known.dim() != 3 or known.size(-1) != 3 or known.size(0) < 1:
        raise InputError(
            f"Known snapshots have shape {tuple(known.shape)}: expected (T, n, 3) with T ≥ 1."
        )
    return known


def _repeat(snapshot: Tensor, snapshots: int) -> Tensor:
    """One snapshot, `snapshots` times: (snapshots, n, 3)."""
    return snapshot.expand(snapshots, *snapshot.shape).clone()
