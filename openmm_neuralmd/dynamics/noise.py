"""Where noise comes from: one explicit generator, so that a seed repeats a trajectory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def unit_noise(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent normal numbers of the precision and on the device of `like`.

    They are drawn where the generator lives, so that a seed means the same on every device.
    """
    drawn = torch.randn(
        tuple(shape), generator=generator, dtype=like.dtype, device=generator.device
    )
    return drawn.to(like.device)
