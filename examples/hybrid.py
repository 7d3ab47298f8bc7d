"""Hybrid sampling from nothing but parameters: reference MD, a model of it, jumps beside MD.

    python examples/hybrid.py -o runs/hybrid

T4 lysozyme with p-xylene, whose Amber files come with openmmtools.  Each of the three stages goes
on where it was if the program is interrupted and started again.  The time of the MD (--time) is
for a demonstration: a model worth its name needs a trajectory that has seen the ligand's poses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import openmmtools

from openmm_neuralmd.hybrid.run import run_hybrid
from openmm_neuralmd.hybrid.settings import read_hybrid
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.production import run_reference
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import TrainingSettings

AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
SETTINGS = Path(__file__).with_name("hybrid.yaml")
NETWORK = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 16}


def prepared(place: Path) -> ComplexFolder:
    """The complex folder, made when it is not there."""
    if not place.exists():
        import_amber(AMBER / "complex.prmtop", AMBER / "complex.crd", place)
    return ComplexFolder.open(place)


def trained(run: Path, output: Path, epochs: int) -> Path:
    """A small NeuralMD-ODE of the reference trajectory."""
    data = {
        "topology": run / "topology.pdb",
        "trajectory": next(run.glob("trajectory.*")),
        "sdf": run / "ligand.sdf",
    }
    settings = TrainingSettings(
        name="t4l", data=data, model={"network": NETWORK}, horizon=2, validation_horizon=2,
        epochs=epochs, validation_fraction=0.3,
    )  # fmt: skip
    trainer = Trainer(settings, read_trajectories(settings.data), output)
    trainer.run()
    return output / "model.safetensors"


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate, train, alternate."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--settings", type=Path, default=SETTINGS, help="settings such as hybrid.yaml"
    )
    parser.add_argument(
        "--time", type=float, default=50.0, metavar="PS", help="simulated time of the reference MD"
    )
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument(
        "--snapshots", type=int, default=12, help="simulated time of the hybrid run"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/hybrid"))
    options = parser.parse_args(arguments)

    settings, output = read_hybrid(options.settings), options.output
    folder = prepared(output / "complex")
    if not (output / "reference").exists():
        reference = run_reference(folder, output / "reference", options.time, settings=settings.md)
        print(f"reference: {reference.snapshots} snapshots, {reference.ns_per_day:.0f} ns/day")
    model = trained(output / "reference", output / "model", options.epochs)

    stride = settings.md.interval_ps
    run = run_hybrid(
        model, folder.path, output / "run", options.snapshots * stride, settings=settings
    )
    print(f"{run.trajectory}: {run.snapshots} snapshots, {stride:g} ps apart")
    print(", ".join(f"{count} {kind}" for kind, count in sorted(run.kinds.items())))
    for reason, count in run.reasons.most_common():
        print(f"dropped, {reason}: {count}")


if __name__ == "__main__":
    main()
