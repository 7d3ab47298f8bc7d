"""Superposition and RMSF of coordinates: NumPy alone.

The definitions are those of `openmm_neuralmd` (`imaging.superpose`, `analysis.fluctuation.rmsf`),
which PyMOL's Python does not have; tests/plugins/test_pymol_plugin.py compares the numbers.
"""

from __future__ import annotations

import numpy as np


def superposition(moving: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The motion that lays `moving` (n, 3) on `target` (n, 3) with the least squared distance.

    Returns
    -------
    (4, 4) float64
        For column vectors (x, y, z, 1).  Kabsch (1976), unweighted, reflections excluded.
    """
    moving, target = np.asarray(moving, np.float64), np.asarray(target, np.float64)
    centre, goal = moving.mean(0), target.mean(0)
    u, _, vt = np.linalg.svd((moving - centre).T @ (target - goal))
    u[:, 2] *= np.sign(np.linalg.det(u @ vt))
    motion = np.eye(4)
    motion[:3, :3] = (u @ vt).T
    motion[:3, 3] = goal - motion[:3, :3] @ centre
    return motion


def rmsf(snapshots: np.ndarray) -> np.ndarray:
    """Root mean square fluctuation about the mean position, (n,), of snapshots (T, n, 3).

    Nothing is fitted here: in the protein's frame, it is motion in the pocket.
    """
    snapshots = np.asarray(snapshots, np.float64)
    return np.sqrt(np.square(snapshots - snapshots.mean(0)).sum(-1).mean(0))
