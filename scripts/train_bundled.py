"""Train the bundled models, and put the files in their places.

    python scripts/train_bundled.py [NAME ...] [--runs runs/bundled]

Their settings are in examples/.  Interrupted, it goes on where it was.  One thread, so
that the result does not depend on the number of cores.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.energy import energy_trainer
from openmm_neuralmd.training.force_matching import read_energy_settings
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.loop import Loop
from openmm_neuralmd.training.settings import read_settings
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.progress import progress_bar

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
JUMPING = ("gpcr-ergotamine", "gpcr-ergotamine-sde", "pocket", "pocket-sde")
ENERGY = "tyk2-energy"


def trainer_of(name: str, folder: Path) -> Loop:
    """Make the trainer of a bundled model, in a folder."""
    if name == ENERGY:
        return energy_trainer(read_energy_settings(EXAMPLES / "energy.yaml"), folder)[0]
    settings = read_settings(EXAMPLES / f"{name}.yaml")
    return Trainer(settings, read_trajectories(settings.data), folder)


def main() -> None:
    """Train every model in turn."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", default=[*JUMPING, ENERGY], metavar="NAME")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "bundled")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names:
        trainer = trainer_of(name, arguments.runs / name)
        done = trainer.counters.update
        with progress_bar(name, trainer.total, "updates", done) as advance:
            trainer.run(advance)
        target = ROOT / "openmm_neuralmd" / "models" / f"{name}.safetensors"
        with complete(target) as temporary:
            shutil.copyfile(trainer.folder / "model.safetensors", temporary)


if __name__ == "__main__":
    main()
