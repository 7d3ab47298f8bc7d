"""Train the bundled NeuralMD-OU: openmm_neuralmd/models/neuralmd-ou.safetensors.

    python scripts/train_neuralmd_ou.py [FOLDER]

It is `neuralmd train examples/neuralmd-ou.yaml`: the complexes of split 'train' in reference set
'many'; no target of split 'test' is among them.  The card has the errors on targets left out, from
validation/one_structure/results/many.json and pocket.json, which `neuralmd predict` makes its
ranges of.  FOLDER (default: runs/neuralmd-ou) holds the state from which an interrupted training
goes on.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from statistics import fmean

import torch

from openmm_neuralmd.training.one_structure import OneStructureTrainer, read_one_structure
from openmm_neuralmd.utils.progress import progress_bar

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "validation" / "one_structure" / "results" / "many.json"
POCKET = RESULT.with_name("pocket.json")
TARGET = ROOT / "openmm_neuralmd" / "models" / "neuralmd-ou.safetensors"


def main() -> None:
    """Fit constants, members, wells and relaxation; write the file."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "neuralmd-ou"
    row = json.loads(RESULT.read_text())["rows"]["network"]
    metrics = {name: row[name]["mean"] for name in ("log_rmsf_error", "nll")}
    if POCKET.is_file():  # made with the model that this script made before
        folds = json.loads(POCKET.read_text())["train targets, in folds"]
        errors = [one["log_rmsf_error"] for one in folds["complexes"]["network"].values()]
        metrics["pocket_log_rmsf_error"] = fmean(errors)
    overrides = {"metrics": metrics}
    settings = read_one_structure(ROOT / "examples" / "neuralmd-ou.yaml", overrides)
    trainer = OneStructureTrainer(settings, folder)
    with progress_bar(settings.name, trainer.total, "epochs", trainer.begun) as advance:
        trainer.run(advance)
    shutil.copyfile(folder / "model.safetensors", TARGET)
    print(f"wrote {TARGET}: {len(trainer.train)} complexes")


if __name__ == "__main__":
    main()
