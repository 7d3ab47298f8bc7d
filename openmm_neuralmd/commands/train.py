"""`neuralmd train`: train a model on trajectories or force labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .command import set_aside
from .grouped import grouped
from .sources import Source
from .trainings import from_labels, from_runs, from_trajectories

if TYPE_CHECKING:
    from ..training.one_structure import OneStructureSettings
    from ..training.settings import TrainingSettings

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
    if settings_file is not None and runs:
        raise typer.BadParameter("with a settings file, the runs belong in its 'runs:' part")
    where = accelerator, devices
    settings, run = _training(settings_file, source, runs or [], given, where)
    folder = output or Path("runs") / settings.name
    _make_room(folder, restart)
    run(settings, folder)


def _make_room(folder: Path, restart: bool) -> None:
    """Set an earlier training aside if asked to; refuse files that no training here can go on from.

    Raises
    ------
    InputError
    """
    from ..errors import InputError

    if restart:
        set_aside([folder / file for file in OUTPUTS], folder / "previous")
        return
    state, *outputs = (folder / name for name in OUTPUTS)
    foreign = [path for path in outputs if path.exists()]
    if foreign and not state.exists():
        raise InputError(
            f"{foreign[0]}: exists, and there is no training state beside it to go on from; choose "
            "another folder, or --restart sets it aside"
        )


def _training(
    file: Path | None,
    source: Source,
    runs: list[Path],
    overrides: dict[str, Any],
    where: tuple[str, int],
) -> tuple[Any, Callable[[Any, Path], None]]:
    """Return the settings, and the training that their data ask for."""
    from ..utils.settings import read_mapping

    content = {} if file is None else read_mapping(file, "examples/train.yaml")
    if file is not None and "labels" in content:
        from ..training.force_matching import read_energy_settings

        return read_energy_settings(file, overrides), from_labels
    if runs or "runs" in content:
        return _run_settings(file, runs, overrides), from_runs
    return _settings(file, source, overrides), partial(from_trajectories, where=where)


def _run_settings(
    file: Path | None, runs: list[Path], overrides: dict[str, Any]
) -> OneStructureSettings:
    from ..training.one_structure import OneStructureSettings, read_one_structure, with_overrides
    from ..utils.settings import validated

    if file is not None:
        return read_one_structure(file, overrides)
    folders = [one.resolve() for one in runs]
    content = with_overrides({"name": folders[0].name, "runs": folders}, overrides)
    return validated(OneStructureSettings, content, "command line")


def _settings(file: Path | None, source: Source, overrides: dict[str, Any]) -> TrainingSettings:
    from ..training.settings import TrainingSettings, read_settings
    from ..utils.settings import validated

    if file is not None:
        return read_settings(file, overrides)
    if source == Source():
        raise typer.BadParameter(
            "nothing to learn from; give settings, --complex, --example or --runs"
        )
    source = source.check()
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
