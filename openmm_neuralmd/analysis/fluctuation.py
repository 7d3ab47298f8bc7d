"""Oscillation of a ligand: RMSF in sliding windows (the paper's Fig. 3), and RMSD to its start.

Nothing is fitted here: the snapshots stand in the protein's frame, so that what is measured is
motion in the pocket and not only the molecule's own flexibility.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from .coordinates import Array, both, checked

WINDOW = 5
"""Snapshots in a window of RMSF-ligand, as in the paper."""


def rmsf(x: ArrayLike) -> Array:
    """Root mean square fluctuation of each atom about its mean position, (n,), Å."""
    array = checked(x)
    return np.sqrt(np.square(array - array.mean(0)).sum(-1).mean(0))


def rmsf_windows(x: ArrayLike, window: int = WINDOW) -> Array:
    """RMSF of each atom in sliding windows, (S − window + 1, n), Å.

    Row k belongs to snapshots k … k + window − 1.

    Parameters
    ----------
    x : array (S, n, 3)
        Successive snapshots, Å, without a replica break.
    window : int
        Snapshots in a window, at least 2.
    """
    array = checked(x)
    if not 2 <= window <= len(array):
        raise InputError(
            f"RMSF needs windows of 2 to {len(array)} of the {len(array)} snapshots, not {window}."
        )
    windows = np.lib.stride_tricks.sliding_window_view(array, window, axis=0)
    deviation = windows - windows.mean(-1, keepdims=True)
    return np.sqrt(np.square(deviation).sum(-2).mean(-1))


def rmsf_curve(x: ArrayLike, window: int = WINDOW) -> Array:
    """RMSF-ligand over time: the mean over atoms in each window, (S − window + 1,), Å."""
    return rmsf_windows(x, window).mean(-1)


def rmsf_agreement(
    truth: ArrayLike, prediction: ArrayLike, window: int = WINDOW
) -> dict[str, float]:
    """Compare the fluctuations of a prediction with the true ones.

    Returns
    -------
    dict
        ``rmsf`` and ``rmsf_truth``: means over windows and atoms, Å; ``rmsf_ratio``: the first
        by the second, 1 if the fluctuations have the right size; ``rmsf_atom_correlation``:
        Pearson's, over atoms, of the means over windows: whether the right atoms move;
        ``rmsf_time_correlation``: over windows, of the means over atoms: whether they move at
        the right time, which no stochastic dynamics can know.  NaN where one side does not
        vary at all (a forecast that stands still has no correlation).
    """
    a, b = (rmsf_windows(x, window) for x in both(truth, prediction))
    true_mean, mean = float(a.mean()), float(b.mean())
    return {
        "rmsf": mean,
        "rmsf_truth": true_mean,
        "rmsf_ratio": mean / true_mean if true_mean > 0 else float("nan"),
        "rmsf_atom_correlation": correlation(a.mean(0), b.mean(0)),
        "rmsf_time_correlation": correlation(a.mean(1), b.mean(1)),
    }


def displacement(x: ArrayLike, start: ArrayLike) -> Array:
    """RMSD of every snapshot to a starting structure, without a fit, (S,), Å.

    Parameters
    ----------
    x : array (S, n, 3)
        Snapshots, Å.
    start : array (n, 3)
        Where the ligand was, Å.
    """
    array = checked(x)
    origin = checked(np.asarray(start, dtype=np.float64)[None], "start")
    if origin.shape[1] != array.shape[1]:
        raise InputError(f"start has {origin.shape[1]} atoms, the snapshots {array.shape[1]}.")
    return np.sqrt(np.square(array - origin).sum(-1).mean(-1))


def correlation(a: Array, b: Array) -> float:
    """Pearson's correlation; NaN where one side is constant to rounding."""
    u, v = a - a.mean(), b - b.mean()
    scale = np.sqrt(np.square(u).sum() * np.square(v).sum())
    varies = all(np.ptp(x) > 1e-9 * np.abs(x).max(initial=0.0) for x in (a, b))
    return float((u * v).sum() / scale) if varies else float("nan")
