"""A prediction as the 3D viewer of the page takes it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..report.scene import STEP, ligand_atoms, packed, surroundings
from ..utils.times import show_time
from .ensemble import LigandPrediction

SHOWN = 100
"""Snapshots of each ligand that the page holds; the trajectory file has all."""


def scene(one: LigandPrediction) -> dict[str, Any]:
    """Data for the viewer, as JSON.

    Returns
    -------
    dict
        PDB text of the ``pocket`` and of the ``backbone`` around, relative to the ligand's middle;
        ``atoms`` of the ligand with ``elem`` and ``bonds``; ``times`` of the snapshots, the given
        pose first; ``track``, their coordinates as `report.scene.packed` writes them in ``step`` Å;
        PDB text of the atoms ``moving`` with the ligand, and their coordinates ``around``.
    """
    chosen = one.snapshots[:SHOWN]
    middle = one.pose.mean(0)
    snapshots = np.concatenate([one.pose[None], chosen])
    times = [show_time(one.interval_ps * k) for k in range(1, len(snapshots))]
    moving, around = np.zeros(0, dtype=np.int64), np.zeros((len(snapshots), 0, 3))
    if one.pocket is not None:
        moving = one.pocket.atoms
        around = np.concatenate([one.pocket.start[None], one.pocket.snapshots[:SHOWN]])
    return {
        **surroundings(one.complex, snapshots.reshape(-1, 3), middle, moving.tolist()),
        "around": packed(around - middle),
        "atoms": ligand_atoms(one.complex),
        "times": ["given pose", *times],
        "track": packed(snapshots - middle),
        "step": STEP,
    }
