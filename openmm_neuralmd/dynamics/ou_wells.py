"""Wells of rotatable bonds: which of them a torsion is in, and how it hops between them.

A torsion is in the given well, or turned by 120°, 180° or −120°.  It leaves its well at a rate k
and goes to well w with probability p_w, whatever the well it comes from, so that the probabilities
after a time t are p + e^(−kt) (now − p), exact at any t.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ANGLES = np.radians([0.0, 120.0, 180.0, -120.0])
"""Turn of each well against the given pose."""
EDGES = np.radians([60.0, 150.0])
"""Turns below the first belong to the given well, above the second to the one at 180°."""


def torsion_angles(x: ArrayLike, quadruples: ArrayLike) -> Array:
    """Dihedral angles (S, r) in rad of snapshots (S, n, 3)."""
    snapshots = np.asarray(x, dtype=np.float64)
    a, b, c, d = (snapshots[:, column] for column in np.asarray(quadruples).reshape(-1, 4).T)
    first, middle, last = b - a, c - b, d - c
    normal, other = np.cross(first, middle), np.cross(middle, last)
    sine = np.linalg.norm(middle, axis=-1) * (first * other).sum(-1)
    return np.arctan2(sine, (normal * other).sum(-1))


def wells(x: ArrayLike, pose: ArrayLike, quadruples: ArrayLike) -> NDArray[np.int64]:
    """Well (S, r) of each torsion in snapshots (S, n, 3), relative to a pose (n, 3)."""
    given = torsion_angles(np.asarray(pose)[None], quadruples)
    turned = (torsion_angles(x, quadruples) - given + np.pi) % (2 * np.pi) - np.pi
    size = np.abs(turned)
    side = np.where(turned > 0, 1, 3)
    return np.where(size < EDGES[0], 0, np.where(size > EDGES[1], 2, side)).astype(np.int64)


def occupancy(states: NDArray[np.int64]) -> Array:
    """Share (r, 4) of the snapshots in each well, from states (S, r)."""
    return np.stack([(states == well).mean(axis=0) for well in range(len(ANGLES))], axis=-1)


def hop(
    times_ps: ArrayLike,
    probabilities: ArrayLike,
    rate: float,
    replicas: int,
    generator: np.random.Generator,
    start: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Wells (R, S, r) of independent replicas at increasing times (S,) in ps.

    Parameters
    ----------
    times_ps : (S,)
    probabilities : (r, 4)
        Stationary distribution of each torsion.
    rate : float
        Hops (and returns to the same well) per ps.
    replicas : int
    generator : numpy.random.Generator
    start : (r,) int or None
        Wells at time 0; None: drawn from the stationary distribution.
    """
    times, p = np.asarray(times_ps, dtype=np.float64), np.asarray(probabilities)
    shape = (replicas, len(p))
    now = _draw(p, replicas, generator)
    if start is not None:
        now = np.broadcast_to(np.asarray(start, dtype=np.int64), shape)
    out = np.empty((replicas, len(times), len(p)), dtype=np.int64)
    before = 0.0
    for row, time in enumerate(times):
        left = generator.random(shape) > np.exp(-rate * (time - before))
        now, before = np.where(left, _draw(p, replicas, generator), now), time
        out[:, row] = now
    return out


def _draw(p: Array, replicas: int, generator: np.random.Generator) -> NDArray[np.int64]:
    return drawn_wells(p, generator.random((replicas, len(p))))


def drawn_wells(probabilities: Array, levels: Array) -> NDArray[np.int64]:
    """Wells (R, r) of torsions with probabilities (r, 4), from numbers (R, r) between 0 and 1."""
    above = levels[..., None] > np.cumsum(probabilities, axis=-1)
    return np.minimum(above.sum(-1), len(ANGLES) - 1)
