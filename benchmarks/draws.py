"""Benchmark of NeuralMD-OU's independent poses: displacements, and valid molecules, per second.

    python benchmarks/draws.py [--repeats 7] [--quick]

The ligand of MCL1 (26 heavy atoms), once predicted, in one call for many poses; on one core and on
all.  A displacement is a product of a matrix with Gaussian noise; a valid molecule has its torsions
turned, its remainder filtered and its distances repaired as well.
"""

from __future__ import annotations

import os
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from harness import arguments, matmul1024, race, write

from openmm_neuralmd.dynamics.ou_prediction import Prediction, predict_ensemble
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import read_ligand, read_protein

POSES = {"displacements": 200_000, "valid molecules": 4_000}
"""Drawn in a call."""


def rows_of(prediction: Prediction, poses: dict[str, int], repeats: int) -> list[dict[str, Any]]:
    """One row for each kind of pose on the cores that this process may use."""
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    few, many = poses["valid molecules"], poses["displacements"]
    calls = {
        "displacements": lambda: prediction.process.present(many, np.random.default_rng(1)),
        "valid molecules": lambda: prediction.snapshots(few, seed=1),
    }
    times = race({**calls, "matmul1024": matmul1024()}, repeats)
    return [
        {
            "poses": name,
            "cores": cores,
            "in_a_call": count,
            "per_second": count / times[name]["median"] * 1000.0,
            "ms": times[name],
            "matmul1024_ms": times["matmul1024"],
        }
        for name, count in poses.items()
    ]


def main() -> None:
    """Measure on one core and on all."""
    given = arguments(__doc__, repeats=7)
    data = files("openmm_neuralmd") / "data" / "mcl1"
    protein = read_protein(str(data / "protein.pdb"))
    prediction = predict_ensemble(
        load(bundled_models()["neuralmd-ou"]), read_ligand(str(data / "ligand.sdf")), *protein
    )
    poses = {name: count // 100 for name, count in POSES.items()} if given.quick else POSES
    allowed = os.sched_getaffinity(0)
    rows = []
    for cores in sorted({1, len(allowed)}):
        os.sched_setaffinity(0, sorted(allowed)[-cores:])
        rows += rows_of(prediction, poses, given.repeats)
    write(given.results, "draws", "independent poses of NeuralMD-OU, CPU, wall time", rows)


if __name__ == "__main__":
    main()
