"""`neuralmd reference`: run all-atom MD of a prepared complex."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..utils.times import show_time
from . import options
from .command import resumable, say, say_next, set_aside
from .grouped import grouped

if TYPE_CHECKING:
    from ..md.settings import MDSettings

HELP = """Run all-atom MD of a prepared complex: minimise, equilibrate, record snapshots.

The command writes a folder with trajectory.xtc, a matching topology.pdb, energies.csv and run.yaml.

To resume an interrupted run, run the same command again.
"""
EXAMPLE = "Example: neuralmd reference complex --mode pocket --time 3ns -o runs/pocket"
ENGINES = ("openmm", "gromacs")
_SYSTEM, _OUTPUT = "Physics", "Output"


@dataclass(frozen=True)
class Request:
    """Settings of the MD that options give; None where the default of `MDSettings` holds."""

    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Atoms that move. flexible: all (default); pocket: the ligand and residues near "
            "it; rigid: the ligand only.",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    interval: Annotated[
        float | None,
        options.duration(help="Time between snapshots. Default: 1ps.", panel=_OUTPUT),
    ] = None
    timestep: Annotated[
        float | None,
        options.duration(help="Integration time step. Default: 4fs.", panel=_SYSTEM),
    ] = None
    hydrogen_mass: Annotated[
        float | None,
        typer.Option(
            metavar="AMU",
            help="Hydrogen mass, taken from the bonded heavy atom; 0 keeps the real masses. "
            "Default: 4.",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(metavar="K", help="Temperature. Default: 300.", rich_help_panel=_SYSTEM),
    ] = None
    ensemble: Annotated[
        str | None,
        typer.Option(
            metavar="npt|nvt",
            help="Ensemble of production in a periodic box. Default: npt, at 1 bar.",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    equilibration: Annotated[
        float | None,
        options.duration(
            help="Equilibration time. Default: 200ps in a periodic box, otherwise 20ps.",
            panel=_SYSTEM,
        ),
    ] = None
    cutoff: Annotated[
        float | None,
        typer.Option(
            metavar="NM",
            help="Cutoff for systems without a periodic box. Default: none in mode flexible, 1.2 "
            "in mode pocket.",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    dielectric: Annotated[
        str | None,
        typer.Option(
            metavar="4r|vacuum",
            help="Dielectric between ligand and protein in mode rigid. Default: 4r.",
            rich_help_panel=_SYSTEM,
        ),
    ] = None
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="Write ligand forces and energies of every snapshot to labels.npz.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="xtc|dcd",
            help="Trajectory format. Default: xtc.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None
    write: Annotated[
        str | None,
        typer.Option(
            metavar="solute|all",
            help="Atoms in the trajectory; solute leaves out water and salt. Default: solute.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None

    def choices(self) -> dict[str, Any]:
        """Settings that were given, by their names in `MDSettings`."""
        choices: dict[str, Any] = {
            "mode": self.mode,
            "interval_ps": self.interval,
            "timestep_fs": None if self.timestep is None else self.timestep * 1000,
            "hydrogen_mass": self.hydrogen_mass,
            "temperature": self.temperature,
            "ensemble": self.ensemble,
            "equilibration_ps": self.equilibration,
            "cutoff": self.cutoff,
            "dielectric": self.dielectric,
            "labels": self.labels,
            "format": self.file_format,
            "write": self.write,
        }
        return {name: value for name, value in choices.items() if value is not None}


@grouped
def reference(
    folder: Annotated[
        Path, typer.Argument(metavar="COMPLEX", help="Folder written by neuralmd prepare.")
    ],
    time: Annotated[
        float,
        options.duration(help="Production time, such as 3ns."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Output folder. Default: COMPLEX/MODE."),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="openmm|gromacs", help="MD engine; gromacs runs gmx from PATH.")
    ] = "openmm",
    *,
    request: Request,
    device: options.Device,
    checkpoint: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Wall time between checkpoints."),
    ] = 10.0,
    seed: options.Seed = None,
    restart: options.Restart = False,
) -> None:
    """Check the options, run, and print a summary."""
    if engine not in ENGINES:
        raise typer.BadParameter(f"unknown engine '{engine}'; known: {', '.join(ENGINES)}")
    from ..md.settings import MDSettings

    given = request.choices() | device.choices()
    settings = MDSettings(**given if seed is None else given | {"seed": seed})
    settings.check()
    target = output or folder / settings.mode
    if restart:
        from ..utils.resume import partial_folder

        previous = target.with_name(f"{target.name}.previous")
        set_aside([target, partial_folder(target)], previous)
    _run(engine, folder, target, time, settings, checkpoint)


def _run(
    engine: str, folder: Path, target: Path, time: float, settings: MDSettings, checkpoint: float
) -> None:
    from ..md.engines import choose_engine
    from ..md.folder import LIGAND, ComplexFolder
    from ..utils.progress import progress_bar

    total = settings.snapshots(time)
    say(f"{total} snapshots, {show_time(settings.interval_ps)} apart")
    hint = "run the same command again to continue from the last checkpoint"
    with resumable(hint), progress_bar(settings.mode, total, "snapshots") as advance:
        run = choose_engine(engine).run(
            folder,
            target,
            time,
            settings=settings,
            checkpoint_seconds=checkpoint,
            progress=advance,
        )
    typer.echo(f"trajectory: {run.trajectory} ({run.snapshots} snapshots)")
    typer.echo(f"topology: {run.topology}, record: {run.path / 'run.yaml'}")
    if run.resumed_from:
        typer.echo(f"{run.resumed_from} snapshots are from the interrupted run")
    typer.echo(f"mean temperature: {run.temperature:.1f} K")
    if run.snapshots > run.resumed_from:
        typer.echo(f"speed: {run.ns_per_day:.3g} ns/day")
    ligand = ComplexFolder.open(folder).record["ligand"]["residue"]
    named: list[str | Path] = ["--complex", run.topology, "--trajectory", run.trajectory]
    named += ["--ligand", ligand, "--sdf", run.path / LIGAND]
    say_next("neuralmd", "train", *named)
