"""Pairs within a cutoff as a list, and sums over it: the arithmetic is that of the pairs in reach.

A list has the length that the coordinates give, so nothing can overflow.  Nodes of all complexes of
a batch stand in one tensor (N, ...), N = B n, and pairs of all complexes in one list.
"""

from __future__ import annotations

import torch
from torch import Tensor


def neighbours(x: Tensor, y: Tensor, valid: Tensor, cutoff: float) -> tuple[Tensor, Tensor]:
    """List the valid pairs whose distance is below the cutoff.

    Parameters
    ----------
    x, y : Tensor (B, n, 3), (B, m, 3)
        Å.
    valid : Tensor (B, n, m), bool
    cutoff : float
        Å.

    Returns
    -------
    receiver, sender : Tensor (E,), int64
        Rows of `x.flatten(0, 1)` and of `y.flatten(0, 1)`.  A point that is not a
        number is a neighbour of all others, so that it cannot go unnoticed.
    """
    # Detached rather than under no_grad: torch.jit.freeze (torch 2.9) merges equal expressions
    # inside and outside a no_grad block, and the distances' own gradient would be lost.
    d = torch.cdist(x.detach(), y.detach(), compute_mode="donot_use_mm_for_euclid_dist")
    batch, i, j = torch.nonzero(valid & ~(d >= cutoff)).unbind(-1)
    return batch * x.shape[1] + i, batch * y.shape[1] + j


def sum_rows(values: Tensor, index: Tensor, rows: int) -> Tensor:
    """Sums (rows, ...) of those rows of `values` (E, ...) that have the same index (E,)."""
    shape = [rows] + list(values.shape[1:])
    zeros = torch.zeros(shape, dtype=values.dtype, device=values.device)
    return zeros.index_add_(0, index, values)
