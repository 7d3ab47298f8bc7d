"""The three trainings of `neuralmd train`: from trajectories, from force labels, from runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..utils.times import show_time
from .command import resumable, say, say_next

if TYPE_CHECKING:
    from ..model import Model
    from ..training.force_matching import ForceMatchingSettings
    from ..training.forecasting import Trainer
    from ..training.one_structure import OneStructureSettings
    from ..training.settings import DataSettings, TrainingSettings

GO_ON = "run the same command again to continue from"


def from_trajectories(settings: TrainingSettings, folder: Path, where: tuple[str, int]) -> None:
    """Train a dynamics on trajectories.

    Parameters
    ----------
    settings : TrainingSettings
    folder : Path
    where : (str, int)
        Accelerator, and number of processes per machine.
    """
    from ..training.data import read_trajectories
    from ..training.devices import make_fabric
    from ..training.forecasting import Trainer
    from ..utils.progress import progress_bar, silent

    fabric = make_fabric(settings, *where)
    validation = read_trajectories(settings.validation_data)
    trainer = Trainer(settings, read_trajectories(settings.data), folder, validation, fabric)
    if not fabric.is_global_zero:  # one process speaks for all
        trainer.run(silent)
        return
    _announce(trainer)
    done, total = trainer.counters.update, trainer.total
    hint = f"{GO_ON} {trainer.state_file}"
    with resumable(hint), progress_bar(settings.name, total, "updates", done) as advance:
        model = trainer.run(advance)
    _summary(trainer, model)


def from_runs(settings: OneStructureSettings, folder: Path) -> None:
    """Train NeuralMD-OU on the statistics of runs."""
    from ..training.one_structure import OneStructureTrainer
    from ..utils.progress import progress_bar

    trainer = OneStructureTrainer(settings, folder)
    targets = len({c.target for c in trainer.train})
    say(
        f"{len(trainer.train)} complexes of {targets} targets, {len(trainer.held_out)} complexes "
        "held out"
    )
    if trainer.done:
        stages = len(trainer.stages)
        say(f"continuing after stage {trainer.done} of {stages} ({trainer.state_file})")
    hint = f"{GO_ON} {trainer.state_file}"
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
            typer.echo("warning: the network is no better than the class constants alone")
    typer.echo(f"model: {folder / 'model.safetensors'} (sha256 {model.sha256[:12]})")
    files: list[str | Path] = ["PROTEIN.pdb", "LIGAND.sdf", "--model", folder / "model.safetensors"]
    say_next("neuralmd", "predict", *files, "-o", folder / "predicted")


def from_labels(settings: ForceMatchingSettings, folder: Path) -> None:
    """Train an energy model by force matching."""
    from ..training.energy import energy_trainer, force_scores
    from ..utils.progress import progress_bar

    trainer, test = energy_trainer(settings, folder)
    done, total = trainer.counters.update, trainer.total
    say(f"{len(trainer.windows)} geometries, early stopping on {len(trainer.validation)} others")
    hint = f"{GO_ON} {trainer.state_file}"
    with resumable(hint), progress_bar(settings.name, total, "updates", done) as advance:
        model = trainer.run(advance)
    for labels in test:
        typer.echo(f"{labels.identity['name']}: {force_scores(model, labels).in_words()}")
    typer.echo(f"model: {folder / 'model.safetensors'} (sha256 {model.sha256[:12]})")


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
        say(f"all {done} updates are done already; --restart trains again from the start")
    elif done:
        say(f"continuing from update {done} of {trainer.total} ({trainer.state_file})")


def _summary(trainer: Trainer, model: Model) -> None:
    counters, file = trainer.counters, trainer.folder / "model.safetensors"
    epochs = len(counters.history)
    early = " (stopped early)" if epochs < trainer.settings.epochs else ""
    typer.echo(f"best validation error: {counters.best:.4f}, epoch {counters.best_epoch}")
    if counters.best >= (1 - 1e-6) * counters.untrained:
        typer.echo(
            f"warning: the untrained model has a validation error of {counters.untrained:.4f}: no "
            "epoch is better, and training did not improve this model's forecasts"
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
    say_next(*next_command, "-o", trainer.folder / "test.dcd")


def _complex_options(data: DataSettings) -> list[str]:
    """Options that give `neuralmd simulate` the complex and the known snapshots."""
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
