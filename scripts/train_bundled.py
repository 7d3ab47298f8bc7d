"""Train the bundled model (seed 0) and its two other seeds, and put the files in their places.

    python scripts/train_bundled.py [--runs runs/bundled] [--seeds 0 42 123]

Interrupted, it goes on where it was.  One thread per seed, so that the result does not depend on
the number of cores.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from openmm_neuralmd.files import complete
from openmm_neuralmd.progress import progress_bar
from openmm_neuralmd.training import Trainer, read_settings
from openmm_neuralmd.training.data import read_trajectories

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "examples" / "gpcr-ergotamine.yaml"
BUNDLED_SEED = 0


def destination(name: str, seed: int) -> Path:
    """Where the model of a seed belongs."""
    if seed == BUNDLED_SEED:
        return ROOT / "openmm_neuralmd" / "models" / f"{name}.safetensors"
    return ROOT / "validation" / "models" / f"{name}-seed{seed}.safetensors"


def main() -> None:
    """Train every seed in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "bundled")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 42, 123])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for seed in arguments.seeds:
        settings = read_settings(SETTINGS, {"seed": seed})
        data = read_trajectories(settings.data)
        trainer = Trainer(settings, data, arguments.runs / f"seed{seed}")
        done = trainer.counters.update
        with progress_bar(f"seed {seed}", trainer.total, "update", done) as advance:
            trainer.run(advance)
        target = destination(settings.name, seed)
        with complete(target) as temporary:
            shutil.copyfile(trainer.folder / "model.safetensors", temporary)


if __name__ == "__main__":
    main()
