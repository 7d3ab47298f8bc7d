"""Bond lengths and angles of a molecule, and whether they are distributed as they should be."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from openmm_neuralmd.analysis.coordinates import Array, checked
from openmm_neuralmd.analysis.ensemble import divergence
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.pairs import checked_bonds

BOND_BIN, ANGLE_BIN = 0.01, 1.0
"""Å and degrees; a third of what they vary by at 300 K, or less."""


def bond_lengths(x: ArrayLike, bonds: ArrayLike) -> Array:
    """Lengths (S, b) in Å of bonds (b, 2) in snapshots x (S, n, 3) Å."""
    array = checked(x, atoms=2)
    i, j = checked_bonds(bonds, array.shape[1]).T
    return np.linalg.norm(array[:, i] - array[:, j], axis=-1)


def angle_triples(bonds: ArrayLike, n: int) -> NDArray[np.int64]:
    """Every two bonds that share an atom, (a, 3), that atom in the middle."""
    neighbours: list[list[int]] = [[] for _ in range(n)]
    for i, j in checked_bonds(bonds, n).tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    triples = [
        [i, middle, k]
        for middle, around in enumerate(neighbours)
        for i, k in combinations(sorted(around), 2)
    ]
    return np.array(triples, dtype=np.int64).reshape(-1, 3)


def bond_angles(x: ArrayLike, triples: ArrayLike) -> Array:
    """Angles (S, a) in degrees at the middle one of three atoms (a, 3)."""
    array = checked(x, atoms=3)
    i, middle, k = np.asarray(triples, dtype=np.int64).T
    a, b = array[:, i] - array[:, middle], array[:, k] - array[:, middle]
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(sine, (a * b).sum(-1)))


def largest_deviation(x: ArrayLike, reference: ArrayLike, bonds: ArrayLike) -> float:
    """Å by which a bond is ever longer or shorter than its mean in the reference (T, n, 3)."""
    means = bond_lengths(reference, bonds).mean(axis=0)
    return float(np.abs(bond_lengths(x, bonds) - means).max())


def mean_divergence(truth: ArrayLike, prediction: ArrayLike, width: float) -> float:
    """Mean over columns of the Jensen–Shannon divergence of values (S, K) and (T, K), in bits.

    Histograms have bins of one width, from the smallest value on.  Finite samples of one
    distribution are some way from 0; see `ensemble.divergence`.
    """
    a, b = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or not a.shape[1]:
        raise InputError(f"values of shapes {a.shape} and {b.shape} are not the same quantities")
    divergences = []
    for p, q in zip(a.T, b.T, strict=True):
        low, high = min(p.min(), q.min()), max(p.max(), q.max())
        bins = int((high - low) / width) + 1
        divergences.append(divergence(p, q, low + width * np.arange(bins + 1)))
    return float(np.mean(divergences))


def internal_divergences(
    truth: ArrayLike, prediction: ArrayLike, bonds: ArrayLike
) -> dict[str, float]:
    """Divergences in bits of ``bonds`` and ``angles`` of two sets of snapshots (S, n, 3), Å."""
    a, b = checked(truth, "truth"), checked(prediction, "prediction")
    triples = angle_triples(bonds, a.shape[1])
    return {
        "bonds": mean_divergence(bond_lengths(a, bonds), bond_lengths(b, bonds), BOND_BIN),
        "angles": mean_divergence(bond_angles(a, triples), bond_angles(b, triples), ANGLE_BIN),
    }
