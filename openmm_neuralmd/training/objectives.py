"""Training objectives: one error per window, so that the mean does not depend on batching."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors
from ..dynamics.contract import Dynamics
from ..utils.nested import rows
from .settings import ObjectiveSettings
from .windows import Batch


class WindowErrors(nn.Module):
    """A dynamics with its objective: what Fabric wraps, and what is called for every batch.

    Parameters
    ----------
    dynamics : Dynamics
    objective : ObjectiveSettings
    """

    def __init__(self, dynamics: Dynamics, objective: ObjectiveSettings) -> None:
        super().__init__()
        self.dynamics = dynamics
        self.objective = objective

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """Error (B,) of each window; the generator feeds what draws noise."""
        return OBJECTIVES[self.objective.kind](self.dynamics, batch, self.objective, generator)


def mae(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error (B,) over snapshots, real atoms and coordinates, Å."""
    return _mean((prediction - target).abs().mean(-1), mask)


def rmse(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Root mean squared atomic displacement (B,), Å (smooth at zero)."""
    return (_mean((prediction - target).square().sum(-1), mask) + 1e-12).sqrt()


def distance_error(prediction: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error (B,) of the distances of all pairs of real atoms, Å."""
    gap = (pair_distances(prediction) - pair_distances(target)).abs()
    return _mean(gap, pair_mask(mask))


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean (B,) of values (B, H, n) over snapshots and what the mask (B, n) keeps."""
    weight = mask.to(values.dtype)
    return (values.mean(1) * weight).sum(1) / weight.sum(1).clamp(min=1)


def pair_distances(x: Tensor) -> Tensor:
    """Distances (..., n (n − 1) / 2) in Å of all atom pairs i < j of x (..., n, 3)."""
    i, j = torch.triu_indices(x.shape[-2], x.shape[-2], offset=1, device=x.device).unbind(0)
    return ((x[..., i, :] - x[..., j, :]).square().sum(-1) + 1e-12).sqrt()


def pair_mask(mask: Tensor) -> Tensor:
    """Mask (B, n (n − 1) / 2) of the pairs whose atoms are both real."""
    i, j = torch.triu_indices(mask.shape[-1], mask.shape[-1], offset=1, device=mask.device)
    return mask[:, i] & mask[:, j]


def _forecast(
    dynamics: Any, batch: Batch, c: ComplexTensors, protein: Any, generator: torch.Generator
) -> Tensor:
    state = dynamics.start(c, batch.known, batch.valid)
    horizon = batch.target.shape[1]
    prediction: Tensor = dynamics.integrate(c, protein, state, horizon, generator)[0]
    return prediction


def _members(dynamics: Any, batch: Batch, repeats: int = 1) -> tuple[ComplexTensors, Any]:
    """Complex and protein of every window; each protein is encoded once for the batch."""
    member = batch.member.repeat_interleave(repeats)
    return rows(batch.complexes, member), rows(dynamics.encode(batch.complexes), member)


def forecast_error(
    dynamics: Any, batch: Batch, settings: ObjectiveSettings, generator: torch.Generator
) -> Tensor:
    """Error of one forecast: coordinates, plus weighted pair distances."""
    c, protein = _members(dynamics, batch)
    prediction = _forecast(dynamics, batch, c, protein, generator)
    error = ERRORS[settings.kind](prediction, batch.target, c.mask)
    if settings.distance_weight > 0:
        error = error + settings.distance_weight * distance_error(prediction, batch.target, c.mask)
    return error


def energy_score(
    dynamics: Any, batch: Batch, settings: ObjectiveSettings, generator: torch.Generator
) -> Tensor:
    """Energy score of several futures: least, on average, for the true distribution alone.

    E |X − y| − ½ E |X − X'| (Gneiting and Raftery, J. Am. Stat. Assoc. 102, 359, 2007) of each
    atom's position, of its step from one snapshot to the next, and, weighted, of each pair
    distance.  Positions alone leave open how fast atoms move, and how they move together.
    """
    samples = settings.samples
    c, protein = _members(dynamics, batch, samples)
    wide = batch._replace(
        known=batch.known.repeat_interleave(samples, 0),
        valid=batch.valid.repeat_interleave(samples, 0),
    )
    futures = _forecast(dynamics, wide, c, protein, generator)
    futures = futures.unflatten(0, (-1, samples)).transpose(0, 1)
    mask = c.mask[::samples]
    present = batch.known[:, -1:]
    steps = torch.diff(futures, dim=2, prepend=present.expand(samples, *present.shape))
    step = torch.diff(batch.target, dim=1, prepend=present)
    score = vector_score(futures, batch.target, mask) + settings.step_weight * vector_score(
        steps, step, mask
    )
    if settings.distance_weight > 0:
        distances, distance = (pair_distances(x).unsqueeze(-1) for x in (futures, batch.target))
        score = score + settings.distance_weight * vector_score(
            distances, distance, pair_mask(mask)
        )
    return score


def vector_score(futures: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Energy score (B,) of vectors: futures (m, B, H, n, k) against the truth (B, H, n, k)."""
    m = futures.shape[0]
    miss = _length(futures - truth).mean(0)
    # Every pair of futures once: the unbiased estimate of their spread.
    i, j = torch.triu_indices(m, m, offset=1, device=futures.device).unbind(0)
    spread = _length(futures[i] - futures[j]).mean(0)
    return _mean(miss - 0.5 * spread, mask)


def _length(vector: Tensor) -> Tensor:
    return (vector.square().sum(-1) + 1e-8).sqrt()


def denoising(
    dynamics: Any, batch: Batch, settings: ObjectiveSettings, generator: torch.Generator
) -> Tensor:
    """Error of the undone noise at the window's first new snapshot."""
    c, protein = _members(dynamics, batch)
    error: Tensor = dynamics.denoising_error(c, protein, batch.target[:, 0], generator)
    return error


def forecast_and_denoising(
    dynamics: Any, batch: Batch, settings: ObjectiveSettings, generator: torch.Generator
) -> Tensor:
    """CG-MD's two networks at once: they share no weights, so neither error disturbs the other."""
    plain = settings.model_copy(update={"kind": "mae"})
    forecast = forecast_error(dynamics.dynamics, batch, plain, generator)
    return forecast + denoising(dynamics, batch, settings, generator)


ERRORS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"mae": mae, "rmse": rmse}
OBJECTIVES: dict[str, Callable[[Any, Batch, ObjectiveSettings, torch.Generator], Tensor]] = {
    "mae": forecast_error,
    "rmse": forecast_error,
    "energy-score": energy_score,
    "denoising": denoising,
    "forecast+denoising": forecast_and_denoising,
}
"""Objectives by the name that settings use."""
