"""Train the bundled models, and put the files in their places.

    python scripts/train_bundled.py [NAME ...] [--runs runs/bundled]

A model's settings are examples/NAME.yaml.  Interrupted, it goes on where it was.  One thread, so
that the result does not depend on the number of cores.
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
BUNDLED = ("gpcr-ergotamine", "gpcr-ergotamine-sde")


def main() -> None:
    """Train every model in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", default=list(BUNDLED), metavar="NAME")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "bundled")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names:
        settings = read_settings(ROOT / "examples" / f"{name}.yaml")
        trainer = Trainer(settings, read_trajectories(settings.data), arguments.runs / name)
        done = trainer.counters.update
        with progress_bar(name, trainer.total, "updates", done) as advance:
            trainer.run(advance)
        target = ROOT / "openmm_neuralmd" / "models" / f"{name}.safetensors"
        with complete(target) as temporary:
            shutil.copyfile(trainer.folder / "model.safetensors", temporary)


if __name__ == "__main__":
    main()
