"""Radial basis and cutoff envelope."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

LEAST = -80.0
"""Exponent at which a Gaussian ends: exp() of what underflows takes six times as long."""


def envelope(d: Tensor, cutoff: float) -> Tensor:
    """Weight u(d) in [0, 1] with u(c) = u'(c) = u''(c) = 0, zero beyond the cutoff c (Å)."""
    t = (d / cutoff).clamp(max=1.0)
    return 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t))


def envelope_slope(d: Tensor, cutoff: float) -> Tensor:
    """Derivative of `envelope` by d."""
    t = (d / cutoff).clamp(max=1.0)
    return (-30.0 / cutoff) * (t * (1.0 - t)) ** 2


class ExpNorm(nn.Module):
    """Exponential-normal radial basis: Gaussians in exp(−α d), denser at short distance.

    Parameters
    ----------
    size : int
        Number of basis functions K.
    cutoff : float
        Cutoff c, Å.
    """

    if TYPE_CHECKING:  # TorchScript cannot resolve the name
        means: Tensor

    def __init__(self, size: int, cutoff: float) -> None:
        super().__init__()
        self.alpha = 5.0 / cutoff
        self.least = LEAST
        self.register_buffer("means", torch.linspace(math.exp(-5.0), 1.0, size))
        self.beta = (2.0 / size * (1.0 - math.exp(-5.0))) ** -2

    def forward(self, d: Tensor) -> Tensor:
        """Map distances (...) in Å to basis values (..., K), each in (0, 1]."""
        exponent = -self.beta * (torch.exp(-self.alpha * d).unsqueeze(-1) - self.means) ** 2
        return torch.exp(exponent.clamp(min=self.least))

    def pullback(self, g: Tensor, d: Tensor, values: Tensor) -> Tensor:
        """Derivative by the distances d (...), where `values` (..., K) are the basis values."""
        t = torch.exp(-self.alpha * d)
        slope = (g * values * (t.unsqueeze(-1) - self.means)).sum(-1)
        return (2.0 * self.alpha * self.beta) * t * slope
