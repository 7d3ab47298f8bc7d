"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .settings import ObjectiveSettings


def mae(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error over snapshots, atoms and coordinates, Å."""
    return (prediction - target).abs().mean()


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """Root mean squared atomic displacement, Å (smooth at zero)."""
    return ((prediction - target).square().sum(-1).mean() + 1e-12).sqrt()


ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mae": mae, "rmse": rmse}


def pair_distances(x: Tensor) -> Tensor:
    """Distances (..., n (n − 1) / 2) in Å of all atom pairs i < j of x (..., n, 3)."""
    i, j = torch.triu_indices(x.shape[-2], x.shape[-2], offset=1, device=x.device).unbind(0)
    return ((x[..., i, :] - x[..., j, :]).square().sum(-1) + 1e-12).sqrt()


def objective(settings: ObjectiveSettings, prediction: Tensor, target: Tensor) -> Tensor:
    """Error of a forecast (B, H, n, 3) in Å: coordinates, plus weighted pair distances."""
    loss = ERRORS[settings.kind](prediction, target)
    if settings.distance_weight > 0:
        distance = (pair_distances(prediction) - pair_distances(target)).abs().mean()
        loss = loss + settings.distance_weight * distance
    return loss
