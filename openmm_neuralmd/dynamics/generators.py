"""Noise of a batch: one generator for all rows, or one for each.

With a generator for each row a future is the same whatever other rows are in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Noise = torch.Generator | Sequence[torch.Generator]
"""A generator for the whole batch, or one for each row of it."""


def row_generators(seed: int, rows: Sequence[int]) -> list[torch.Generator]:
    """A generator for each row, which depends on the seed and on the row's number alone."""
    words = [np.random.SeedSequence([seed, row]).generate_state(2, np.uint32) for row in rows]
    return [torch.Generator().manual_seed(int(a) << 31 ^ int(b)) for a, b in words]


def unit_noise(shape: Sequence[int], like: Tensor, noise: Noise) -> Tensor:
    """Independent normal numbers of the precision and on the device of `like`.

    Parameters
    ----------
    shape : sequence of int
        Rows of the batch first.
    """
    return _drawn(torch.randn, shape, noise, like.dtype).to(like.device)


def uniform_noise(rows: int, like: Tensor, noise: Noise) -> Tensor:
    """Numbers (B,) between 0 and 1."""
    return _drawn(torch.rand, (rows,), noise, torch.float32).to(like.device)


def chosen(count: int, rows: int, like: Tensor, noise: Noise) -> Tensor:
    """Whole numbers (B,) from 0 to `count` − 1."""

    def draw(shape: Sequence[int], **options: Any) -> Tensor:
        return torch.randint(count, tuple(shape), **options)

    return _drawn(draw, (rows,), noise, torch.int64).to(like.device)


def _drawn(
    draw: Callable[..., Tensor], shape: Sequence[int], noise: Noise, dtype: torch.dtype
) -> Tensor:
    """Numbers from where the generators live, so that a seed means the same on every device."""
    if isinstance(noise, torch.Generator):
        return draw(tuple(shape), generator=noise, dtype=dtype, device=noise.device)
    each = [draw(tuple(shape[1:]), generator=g, dtype=dtype, device=g.device) for g in noise]
    return torch.stack(each)
