"""`neuralmd train`: a model from a trajectory, resumable at any moment."""

from __future__ import annotations

from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..times import show_time
from . import options
from .aside import set_aside
from .command import resumable, say
from .sources import Source

if TYPE_CHECKING:
    from ..training import Model, Trainer, TrainingSettings
    from ..training.settings import DataSettings
    from ..trajectories import Snapshots

HELP = """Train NeuralMD on a trajectory: the first 80 % of its snapshots, the rest is never read.

Run the same command again after an interruption, and it goes on where it was.
"""
EXAMPLE = "Example: neuralmd train --example gpcr-ergotamine -o runs/gpcr"
OUTPUTS = ("state.safetensors", "log.csv", "tensorboard", "model.safetensors")


def train(
    settings_file: Annotated[
        Path | None,
        typer.Argument(metavar="SETTINGS.yaml", help="See examples/train.yaml."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Default: runs/NAME of the model."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many.")] = None,
    seed: options.Seed = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the model; default: the complex.")
    ] = None,
    complex_file: options.ComplexFile = None,
    coordinates: options.Coordinates = None,
    trajectory: options.Trajectory = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
    stride: options.Stride = None,
    boundaries: options.Boundaries = None,
    example: options.Example = None,
    restart: options.Restart = False,
) -> None:
    """Settings from a file or from the options, then train."""
    source = Source(
        complex_file,
        example,
        trajectory,
        ligand,
        sdf,
        coordinates,
        interval,
        stride,
        tuple(boundaries) if boundaries else None,
    )
    overrides = {"name": name, "epochs": epochs, "seed": seed}
    given = {key: value for key, value in overrides.items() if value is not None}
    settings = _settings(settings_file, source, given)
    folder = output or Path("runs") / settings.name
    if restart:
        moved = set_aside([folder / file for file in OUTPUTS], folder / "previous")
        say(f"the earlier run is now in {moved}" if moved else f"nothing to set aside in {folder}")
    _run(settings, folder)


def _settings(file: Path | None, source: Source, overrides: dict[str, Any]) -> TrainingSettings:
    from ..settings_files import validated
    from ..training.settings import TrainingSettings, read_settings

    if file is not None:
        if source != Source():
            raise typer.BadParameter("with a settings file, the data belong in its 'data:' part")
        return read_settings(file, overrides)
    if source == Source():
        raise typer.BadParameter("nothing to learn from; give settings, --complex or --example")
    source.check()
    if source.complex_file is not None and source.trajectory is None:
        raise typer.BadParameter("--complex needs --trajectory: what is there to learn from?")
    data = {
        "example": source.example,
        "topology": _absolute(source.complex_file),
        "trajectory": _absolute(source.trajectory),
        "coordinates": _absolute(source.coordinates),
        "sdf": _absolute(source.sdf),
        "ligand": source.ligand,
        "interval": source.interval,
        "stride": source.stride or 1,
        "boundaries": source.boundaries,
    }
    name = source.example or (source.complex_file.stem if source.complex_file else "")
    return validated(TrainingSettings, {"name": name, "data": data, **overrides}, "command line")


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.resolve()


def _run(settings: TrainingSettings, folder: Path) -> None:
    from ..progress import progress_bar
    from ..training import Trainer
    from ..training.data import read_data

    snapshots, identity = read_data(settings.data)
    trainer = Trainer(settings, snapshots, folder, identity)
    _announce(trainer, snapshots)
    done, total = trainer.counters.update, trainer.total
    hint = f"run the same command again to go on from {trainer.state_file}"
    with resumable(hint), progress_bar(settings.name, total, "updates", done) as advance:
        model = trainer.run(advance)
    _summary(trainer, model, snapshots)


def _announce(trainer: Trainer, snapshots: Snapshots) -> None:
    parts = trainer.gradient_part, trainer.validation_part
    training, validation = (f"{part.start}-{part.stop - 1}" for part in parts)
    say(
        f"{len(snapshots)} snapshots, {show_time(snapshots.interval_ps)} apart: training on "
        f"{training}, early stopping on {validation}, the rest is not read"
    )
    done = trainer.counters.update
    if done == trainer.total:
        say(f"all {done} updates are done already; --restart trains anew")
    elif done:
        say(f"going on from update {done} of {trainer.total} ({trainer.state_file})")


def _summary(trainer: Trainer, model: Model, snapshots: Snapshots) -> None:
    counters, file = trainer.counters, trainer.folder / "model.safetensors"
    epochs = len(counters.history)
    early = " (stopped early)" if epochs < trainer.settings.epochs else ""
    typer.echo(f"best validation error: {counters.best:.4f} Å, epoch {counters.best_epoch}")
    typer.echo(f"epochs: {epochs} of {trainer.settings.epochs}{early}, log: {file.parent}/log.csv")
    typer.echo(f"model: {file} (sha256 {model.sha256[:12]})")
    start = trainer.validation_part.stop - 1
    ahead = min(len(snapshots) - start - 1, 100)
    next_command = ["neuralmd", "simulate", str(file), *_complex_options(trainer.settings.data)]
    next_command += ["--start", str(start), "--snapshots", str(max(ahead, 1))]
    typer.echo(f"next: {join([*next_command, '-o', str(trainer.folder / 'test.dcd')])}")


def _complex_options(data: DataSettings) -> list[str]:
    """What tells `neuralmd simulate` the complex and the known snapshots."""
    if data.example is not None:
        return ["--example", data.example]
    named = {
        "--complex": data.topology,
        "--coordinates": data.coordinates,
        "--trajectory": data.trajectory,
        "--ligand": data.ligand,
        "--sdf": data.sdf,
        "--interval": None if data.interval is None else f"{data.interval:g}ps",
    }
    given = {key: str(value) for key, value in named.items() if value is not None}
    words = [word for pair in given.items() for word in pair]
    words += [] if data.stride == 1 else ["--stride", str(data.stride)]
    return words + [word for index in data.boundaries or () for word in ("--boundary", str(index))]
