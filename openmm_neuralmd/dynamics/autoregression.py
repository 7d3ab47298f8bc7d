"""The naive baseline AR(1): each atom relaxes to its mean, with or without noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .recent_window import checked_history, long_enough


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
