"""Validity of predicted snapshots: PoseBusters on the prediction and on MD.

    python validation/one_structure/poses.py

The bundled model, snapshots as `neuralmd predict` writes them, for each complex of set 'pocket';
beside it as many snapshots of its MD.
"""

from __future__ import annotations

import json

import numpy as np
from columns import bootstrap
from rdkit import Chem
from summary import machine
from table import HERE, POCKET

from openmm_neuralmd.analysis.poses import pass_rates, pose_checks
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import read_trajectory

SNAPSHOTS = 40
SEED = 0


def main() -> None:
    """Check both, print and write results/poses.json."""
    model = load(bundled_models()[MODEL])
    rates: dict[str, dict[str, dict[str, float]]] = {}
    for folder in sorted(path for path in POCKET.iterdir() if path.is_dir()):
        c = read_trajectory(folder)
        heavy = Chem.RemoveHs(c.molecule)
        prediction = predict_pose(model, c.chemistry, c.start, c.pocket)
        frames = c.frames[np.linspace(0, len(c.frames) - 1, SNAPSHOTS).astype(int)]
        both = {"prediction": prediction.snapshots(SNAPSHOTS, SEED), "MD": frames}
        rates[c.name] = {row: pass_rates(pose_checks(heavy, x)) for row, x in both.items()}
        print(c.name, {row: one["all"] for row, one in rates[c.name].items()}, flush=True)
    away = [one["MD"]["all"] - one["prediction"]["all"] for one in rates.values()]
    result = {
        "rates": rates,
        "md_minus_prediction": bootstrap(np.array(away)),
        "snapshots": SNAPSHOTS,
        "machine": machine(),
    }
    print("MD minus prediction, points:", result["md_minus_prediction"])
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "results" / "poses.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
