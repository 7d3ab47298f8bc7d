"""Rates of sound poses in a hybrid run, by kind of pose."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rdkit import Chem

from openmm_neuralmd.analysis.poses import heavy_molecule, pose_checks
from openmm_neuralmd.analysis.statistics import bootstrap_mean
from openmm_neuralmd.hybrid.jumped import JUMPED
from openmm_neuralmd.hybrid.run import LOG, MD
from openmm_neuralmd.hybrid.sdf import POSES, STAGES, read_poses
from openmm_neuralmd.md.folder import LIGAND
from openmm_neuralmd.md.outcome import TOPOLOGY
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots

KEPT = "kept"


class PoseRate(NamedTuple):
    """Number and share of poses that pass.

    Attributes
    ----------
    poses : int
        That there are.
    of : int
        That there should be: a jump that tore the ligand to pieces, or could not be minimised, has
        no pose, and passes nothing.
    share : tuple of float
        Percentage that pass every check; with its 95 % interval where there are two or more.
    checks : dict
        Percentage of `of` that pass each check.
    """

    poses: int
    of: int
    share: tuple[float, ...]
    checks: dict[str, float]


def pose_rates(run: str | Path) -> dict[str, PoseRate]:
    """PoseBusters' checks (`analysis.poses`) on a finished hybrid run.

    Returns
    -------
    dict
        ``raw`` and ``relaxed`` poses of all jumps; ``kept``: snapshots of the jumps that were kept;
        ``md``: all-atom MD, fallbacks excepted.  What there is none of is left out.
    """
    run = Path(run)
    complex = Complex.from_files(run / TOPOLOGY, sdf=run / LIGAND)
    molecule = heavy_molecule(run / LIGAND, complex.ligand_atomic_numbers)
    with (run / LOG).open(newline="") as file:
        kinds = np.array([row["kind"] for row in csv.DictReader(file)])
    snapshots = read_snapshots(next(run.glob("trajectory.*")), complex).ligand
    poses = list(read_poses(run / POSES))
    rates = {}
    for stage in STAGES:
        x = [pose.x[complex.heavy] for pose in poses if pose.stage == stage]
        rates[stage] = np.array(x), int((kinds != MD).sum())
    for name, kind in ((KEPT, JUMPED), (MD, MD)):
        rates[name] = snapshots[kinds == kind], int((kinds == kind).sum())
    return {name: _rate(molecule, x, of) for name, (x, of) in rates.items() if of}


def _rate(molecule: Chem.Mol, x: np.ndarray, of: int) -> PoseRate:
    checks = pose_checks(molecule, x) if len(x) else {}
    passed = np.zeros(of)
    if checks:
        passed[: len(x)] = 100.0 * np.logical_and.reduce(list(checks.values()))
    share = tuple(bootstrap_mean(passed)) if of > 1 else (float(passed[0]),)
    rates = {name: float(100.0 * each.sum() / of) for name, each in checks.items()}
    return PoseRate(len(x), of, share, rates)
