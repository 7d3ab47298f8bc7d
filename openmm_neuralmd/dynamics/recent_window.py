"""Choice of the window of the recent mean, and the snapshots that the choice may read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError

WINDOWS = (3, 5, 10, 20, 50)
"""Lengths of the recent mean that `best_window` chooses among, in snapshots."""


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
    segments = long_enough(segments)
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


def long_enough(segments: Sequence[Tensor]) -> list[Tensor]:
    """Segments with at least two snapshots; an error if there are none."""
    usable = [segment for segment in segments if len(segment) > 1]
    if not usable:
        raise InputError(
            "The training part has no two successive snapshots: give at least one stretch of two "
            "or more snapshots without a replica break."
        )
    return usable


def checked_history(known: Tensor) -> Tensor:
    """Known snapshots, or an error that says what is wrong with them."""
    if known.dim() != 3 or known.size(-1) != 3 or known.size(0) < 1:
        raise InputError(
            f"Known snapshots have shape {tuple(known.shape)}: expected (T, n, 3) with T ≥ 1."
        )
    return known
