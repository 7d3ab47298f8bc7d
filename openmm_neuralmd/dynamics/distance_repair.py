"""Distances of many snapshots, brought back within their tolerance (position based)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Array = NDArray[np.float64]

SWEEPS = 60
RELAXATION = 0.3
"""Share of the mean correction of an atom's distances; 1 would overshoot in rings."""
CROWDED = 0.75
"""Share of snapshots still at work below which those that are done are set aside."""
CHUNK = 256
"""Snapshots that are repaired together: their distances fit into a processor's cache."""


def repaired(x: Array, pairs: NDArray[np.int64], lengths: Array, tolerances: Array) -> Array:
    """Snapshots (S, n, 3) whose distances are within their tolerance, or nearly.

    Parameters
    ----------
    x : (S, n, 3), Å
    pairs : (c, 2) int64
        Atoms whose distance is held.
    lengths, tolerances : (c,)
        Å, and relative.
    """
    if not len(pairs):
        return x
    parts = [_chunk(x[k : k + CHUNK], pairs, lengths, tolerances) for k in range(0, len(x), CHUNK)]
    return np.concatenate(parts) if parts else x


def _chunk(x: Array, pairs: NDArray[np.int64], lengths: Array, tolerances: Array) -> Array:
    # Snapshots are the last axis: each step is then one operation on long contiguous rows.
    i, j = pairs.T
    count = np.maximum(np.bincount(pairs.ravel(), minlength=x.shape[1]), 1)
    share = RELAXATION / np.sqrt(count)
    rows, columns = np.concatenate([i, j]), np.tile(np.arange(len(i)), 2)
    entries = np.concatenate([share[i], -share[j]])
    back = csr_array((entries, (rows, columns)), shape=(x.shape[1], len(i)))
    lengths, tolerances = lengths[:, None], tolerances[:, None]
    low, high = lengths * (1 - tolerances), lengths * (1 + tolerances)
    out = np.array(x.transpose(1, 2, 0), order="C")
    now, left = out, np.arange(len(x))
    for _ in range(SWEEPS):
        apart = now.take(i, axis=0)
        apart -= now.take(j, axis=0)
        distance = np.sqrt(np.einsum("pcs,pcs->ps", apart, apart))
        error = np.minimum(np.maximum(distance, low), high)
        error -= distance
        # Each snapshot ends by itself: what it becomes does not depend on the others.
        far = (np.abs(error) > 1e-3 * lengths).any(0)
        if np.count_nonzero(far) < CROWDED * len(left):
            out[:, :, left] = now
            left, now = left[far], now[:, :, far]
            apart, distance, error = apart[:, :, far], distance[:, far], error[:, far]
            far = far[far]
        if not len(left):
            break
        error *= 0.5 * far
        error /= np.maximum(distance, 1e-6)
        apart *= error[:, None]
        now = now + (back @ apart.reshape(len(i), -1)).reshape(now.shape)
    out[:, :, left] = now
    return np.ascontiguousarray(out.transpose(2, 0, 1))
