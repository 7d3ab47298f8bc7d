"""`neuralmd train`: train a model on trajectories or force labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..utils.times import show_time
from . import options
from .command import resumable, say, set_aside
from .grouped import grouped
from .sources import Source

if TYPE_CHECKING:
    from ..model import Model
    from ..training.forecasting import Trainer
    from ..training.settings import DataSettings, TrainingSettings

HELP = """Train a learned dynamics on the first 80 % of a trajectory, or on many complexes.

To resume an interrupted training, run the same command again.
"""
EXAMPLE = "Example: neuralmd train --example gpcr-ergotamine -o runs/gpcr"
OUTPUTS = (
    "state.safetensors",
    "log.csv",
    "tensorboard",
    "model.safetensors",
    "last.safetensors",
)


@grouped
def train(
    settings_file: Annotated[
        Path | None,
        typer.Argument(metavar="SETTINGS.yaml", help="Training settings; see examples/train.yaml."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Output folder. Default: runs/NAME."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Maximum number of epochs.")
    ] = None,
    seed: options.Seed = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the model. Default: the complex.")
    ] = None,
    *,
    source: Source,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Folder of complexes with runs, for --dynamics neuralmd-ou. Can be repeated.",
        ),
    ] = None,
    dynamics: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Dynamics to train. Default: neuralmd-ode."),
    ] = None,
    accelerator: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, cuda, or auto (cuda if available).")
    ] = "auto",
    devices: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Number of processes per machine under torchrun."),
    ] = 1,
    restart: options.Restart = False,
) -> None:
    """Read the settings from a file or from the options, and train."""
    overrides = {"name": name, "epochs": epochs, "seed": seed, "dynamics": dynamics}
    given = {key: value for key, value in overrides.items() if value is not None}
    if settings_file is not None and source != Source():
        raise typer.BadParameter("with a settings file, the data belong in its 'data:' part")
    special = _special(settings_file, runs)
    if special is not None:
        special(settings_file, given, output, restart)
        return
    settings = _settings(settings_file, source, given)
    folder = output or Path("runs") / settings.name
    _make_room(folder, restart)
    _run(settings, folder, accelerator, devices)


def _set_aside(folder: Path) -> None:
    moved = set_aside([folder / file for file in OUTPUTS], folder / "previous")
    say(f"the earlier run is now in {moved}" if moved else f"nothing to set aside in {folder}")


def _make_room(folder: Path, restart: bool) -> None:
    """Set an earlier training aside if asked to; refuse files that no training here can go on from.

    Raises
    ------
    InputError
    """
    from ..errors import InputError

    if restart:
        _set_aside(folder)
        return
    state, *outputs = (folder / name for name in OUTPUTS)
    foreign = [path for path in outputs if path.exists()]
    if foreign and not state.exists():
        raise InputError(
            f"{foreign[0]}: exists, and there is no training state beside it to go on from; choose "
            "another folder, or --restart sets it aside"
        )


Trained = Callable[[Path | None, dict[str, Any], Path | None, bool], None]


def _special(file: Path | None, runs: list[Path] | None) -> Trained | None:
    """Return the training that learns from labels or runs; None where it is from trajectories."""
    from ..utils.settings import read_mapping

    if runs:
        if file is not None:
            raise typer.BadParameter("with a settings file, the runs belong in its 'runs:' part")
        return partial(_train_one_structure, runs)
    content = {} if file is None else read_mapping(file, "examples/train.yaml")
    if "labels" in content:
        return _train_energy
    return partial(_train_one_structure, []) if "runs" in content else None


def _train_one_structure(
    runs: list[Path],
    file: Path | None,
    overrides: dict[str, Any],
    output: Path | None,
    restart: bool,
) -> None:
    """Train NeuralMD-OU on the statistics of runs."""
    from ..training.one_structure import (
        OneStructureSettings,
        OneStructureTrainer,
        read_one_structure,
        with_overrides,
    )
    from ..utils.progress import progress_bar
    from ..utils.settings import validated

    if file is not None:
        settings = read_one_structure(file, overrides)
    else:
        folders = [one.resolve() for one in runs]
        content = with_overrides({"name": folders[0].name, "runs": folders}, overrides)
        settings = validated(OneStructureSettings, content, "command line")
    folder = output or Path("runs") / settings.name
    _make_room(folder, restart)
    trainer = OneStructureTrainer(settings, folder)
    targets = len({c.target for c in trainer.train})
    say(
        f"{len(trainer.train)} complexes of {targets} targets, {len(trainer.held_out)} complexes "
        "held out"
    )
    if trainer.done:
        stages = len(trainer.stages)
        say(f"going on after stage {trainer.done} of {stages} ({trainer.state_file})")
    hint = f"run the same command again to go on from {trainer.state_file}"
    bar = progress_bar(settings.name, trainer.total, "epochs", trainer.begun)
    with resumable(hint), bar as advance:
        model = trainer.run(advance)
    metrics = model.card.metrics
    if "nll_constants" in metrics:
        typer.echo(
            f"held out: {metrics['nll']:.2f} nats per degree of freedom, class constants alone "
            f"{metrics['nll_constants']:.2f}; error of ln RMSF {metrics['log_rmsf_error']:.2f}"
        )
        if metrics["nll"] >= metrics["nll_constants"]:
            typer.echo("warning: class constants alone are as good: the network adds nothing")
    typer.echo(f"model: {folder / 'model.safetensors'} (sha256 {model.sha256[:12]})")
    typer.echo(f"next: neuralmd predict PROTEIN.pdb LIGAND.sdf --model {folder}/model.safetensors")


def _train_energy(
    file: Path | None, overrides: dict[str, Any], output: Path | None, restart: bool
) -> None:
    """Train an energy model by force matching."""
    from ..training.energy import energy_trainer, force_scores
    from ..training.force_matching import read_energy_settings
    from ..utils.progress import progress_bar

    assert file is not None
    settings = read_energy_settings(file, overrides)
    folder = output or Path("runs") / settings.name
    _make_room(folder, restart)
    trainer, test = energy_trainer(settings, folder)
    done, total = trainer.counters.update, trainer.total
    say(f"{len(trainer.windows)} geometries, early stopping on {len(trainer.validation)} others")
    hint = f"run the same command again to go on from {trainer.state_file}"
    with resumable(hint), progress_bar(settings.name, total, "updates", done) as advance:
        model = trainer.run(advance)
    for labels in test:
        typer.echo(f"{labels.identity['name']}: {force_scores(model, labels).in_words()}")
    typer.echo(f"model: {folder / 'model.safetensors'} (sha256 {model.sha256[:12]})")


def _settings(file: Path | None, source: Source, overrides: dict[str, Any]) -> TrainingSettings:
    from ..training.settings import TrainingSettings, read_settings
    from ..utils.settings import validated

    if file is not None:
        return read_settings(file, overrides)
    if source == Source():
        raise typer.BadParameter(
            "nothing to learn from; give settings, --complex, --example or --runs"
        )
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


def _run(settings: TrainingSettings, folder: Path, accelerator: str, devices: int) -> None:
    from ..training.data import read_trajectories
    from ..training.forecasting import Trainer
    from ..training.loop import make_fabric
    from ..utils.progress import progress_bar, silent

    fabric = make_fabric(settings, accelerator, devices)
    validation = read_trajectories(settings.validation_data)
    trainer = Trainer(settings, read_trajectories(settings.data), folder, validation, fabric)
    if not fabric.is_global_zero:  # one process speaks for all
        trainer.run(silent)
        return
    _announce(trainer)
    done, total = trainer.counters.update, trainer.total
    hint = f"run the same command again to go on from {trainer.state_file}"
    with resumable(hint), progress_bar(settings.name, total, "updates", done) as advance:
        model = trainer.run(advance)
    _summary(trainer, model)


def _announce(trainer: Trainer) -> None:
    first, stride = trainer.trajectories[0], show_time(trainer.trajectories[0].interval_ps)
    if len(trainer.trajectories) == 1 and not trainer.held_out:
        training, validation = (f"{p.start}-{p.stop - 1}" for p in trainer.parts[0][:2])
        say(
            f"{len(first)} snapshots, {stride} apart: training on {training}, early stopping on "
            f"{validation}, the rest is not read"
        )
    else:
        other = f"{len(trainer.held_out)} other complexes" if trainer.held_out else "their ends"
        say(
            f"{len(trainer.trajectories)} trajectories, {stride} apart, {len(trainer.windows)} "
            f"windows; early stopping on {other}, {len(trainer.validation)} windows"
        )
    done = trainer.counters.update
    if done == trainer.total:
        say(f"all {done} updates are done already; --restart trains anew")
    elif done:
        say(f"going on from update {done} of {trainer.total} ({trainer.state_file})")


def _summary(trainer: Trainer, model: Model) -> None:
    counters, file = trainer.counters, trainer.folder / "model.safetensors"
    epochs = len(counters.history)
    early = " (stopped early)" if epochs < trainer.settings.epochs else ""
    typer.echo(f"best validation error: {counters.best:.4f}, epoch {counters.best_epoch}")
    if counters.best >= (1 - 1e-6) * counters.untrained:
        typer.echo(
            f"warning: the untrained model has a validation error of {counters.untrained:.4f}: no "
            "epoch is better, and this model's forecasts owe nothing to training"
        )
    typer.echo(f"epochs: {epochs} of {trainer.settings.epochs}{early}, log: {file.parent}/log.csv")
    typer.echo(f"model: {file} (sha256 {model.sha256[:12]})")
    data = trainer.settings.data
    if len(data) > 1 or data[0].misato is not None:
        return
    start = trainer.parts[0][1].stop - 1
    ahead = min(len(trainer.trajectories[0]) - start - 1, 100)
    next_command = ["neuralmd", "simulate", str(file), *_complex_options(data[0])]
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
