"""Validity of predicted snapshots: bond lengths and angles near their reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..structure.pairs import bonded_pairs
from .coordinates import checked


def bond_angle_validity(
    x: ArrayLike, bonds: ArrayLike, reference: ArrayLike, tolerance: float = 0.25
) -> float:
    """Percentage of snapshots whose bond lengths and angles are all near their reference.

    A bond angle is judged by its 1–3 distance.

    Parameters
    ----------
    x : array (S, n, 3)
        Snapshots to judge, Å.
    bonds : array (b, 2)
        Bonds between the n atoms.
    reference : array (T, n, 3)
        Snapshots known to be right, Å; the means of their 1–2 and 1–3 distances count.
    tolerance : float
        Largest relative deviation; PoseBusters' 25 % by default.
    """
    snapshots, right = checked(x), checked(reference, "reference")
    n = snapshots.shape[1]
    if right.shape[1] != n:
        raise InputError(f"reference has {right.shape[1]} atoms, the snapshots {n}.")
    first, second = bonded_pairs(bonds, n).T
    lengths = np.linalg.norm(right[:, first] - right[:, second], axis=-1).mean(0)
    distances = np.linalg.norm(snapshots[:, first] - snapshots[:, second], axis=-1)
    valid = (np.abs(distances - lengths) <= tolerance * lengths).all(-1)
    return float(100.0 * valid.mean())
