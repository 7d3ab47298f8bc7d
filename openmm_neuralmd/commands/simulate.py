"""`neuralmd simulate`: run a learned dynamics in OpenMM."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..utils.times import show_time, whole_strides
from . import options
from .command import say, set_aside
from .grouped import grouped
from .simulations import run_replicas, run_trajectory
from .sources import Source

if TYPE_CHECKING:
    from ..model import Model
    from ..structure.complex import Complex
    from ..trajectory.history import History
    from ..trajectory.snapshots import Snapshots

HELP = """Simulate the ligand's motion in OpenMM with a trained model.

The command writes a DCD trajectory, a matching PDB and a record of the run (YAML).

To resume an interrupted run, run the same command again.
"""
EXAMPLE = (
    "Example: neuralmd simulate runs/gpcr/model.safetensors --example gpcr-ergotamine "
    "--time 300ns -o traj.dcd"
)


@grouped
def simulate(
    model: Annotated[str, typer.Argument(help="Model file, or name of a bundled model.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.dcd", help="Trajectory to write.")
    ],
    time: Annotated[
        float | None,
        options.duration(help="Simulated time, such as 8ns."),
    ] = None,
    snapshots: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Number of snapshots, instead of --time.")
    ] = None,
    *,
    source: Source,
    start: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="INDEX",
            help="Snapshot of the trajectory to start from, counted from 0. Default: the last.",
        ),
    ] = None,
    replicas: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of futures, computed in batches without OpenMM; the output is then a "
            "folder with a DCD for each.",
        ),
    ] = None,
    device: options.Device,
    precision: Annotated[
        str, typer.Option(metavar="single|double", help="Precision of the network.")
    ] = "single",
    backend: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="TorchForce or PythonForce. Default: the one that works."
        ),
    ] = None,
    seed: options.Seed = None,
    on_failure: Annotated[
        str,
        typer.Option(
            metavar="stop|restart",
            help="Reaction to a coordinate that is not a number, or a ligand that leaves the "
            "pocket. stop: end with an error; restart: restart from the last checkpoint, or a "
            "replica from its start, with other noise, at most ten times.",
        ),
    ] = "stop",
    restart: options.Restart = False,
) -> None:
    """Check the options, read the complex and its known snapshots, and run."""
    options.one_of(__time=time, __snapshots=snapshots)
    source = source.check()
    chosen = device.choices()
    _check_output(output, replicas, backend or device.platform)
    from ..model import load_model
    from ..simulation.run import RunSettings

    loaded = load_model(model)
    complex, known = source.read()
    given = source.interval if known is None else known.interval_ps
    loaded = loaded if given is None else loaded.at_interval(given, complex.name)
    step = loaded.card.interval_ps
    count = snapshots if time is None else _whole(time, step)
    assert count is not None
    complex = loaded.fitted(complex)
    history = _history(complex, known, start, loaded.dynamics.least_known)
    written = _written(output, replicas)
    _make_room(output, written, (Path(model), *source.files), restart)
    say(f"{count} snapshots, {show_time(step)} apart: {show_time(count * step)} in all")
    _announce(loaded, history)
    if replicas is not None:
        run_replicas(loaded, history, count, output, replicas, seed, on_failure)
        return
    settings = RunSettings(**chosen, backend=backend, precision=precision, seed=seed)
    run_trajectory(loaded, history, count, output, settings, on_failure)


def _check_output(output: Path, replicas: int | None, engine: str | None) -> None:
    """Refuse a name that is not of the kind that is written, and OpenMM's options for replicas."""
    is_dcd = output.suffix.lower() == ".dcd"
    if replicas is None and not is_dcd:
        raise typer.BadParameter(f"{output}: the trajectory is a DCD file; name it NAME.dcd")
    if replicas is not None and is_dcd:
        raise typer.BadParameter(
            f"{output}: with --replicas the output is a folder; leave .dcd out"
        )
    if replicas is not None and engine is not None:
        raise typer.BadParameter(
            "--replicas run without OpenMM: leave --platform and --backend out"
        )


def _written(output: Path, replicas: int | None) -> list[Path]:
    """Outputs of a run: a folder, or a trajectory with two files beside it."""
    if replicas is not None:
        return [output]
    return [output, output.with_suffix(".pdb"), output.with_suffix(".run.yaml")]


def _whole(time: float, stride: float) -> int:
    """Return the number of snapshots that cover a time; note when it is rounded up."""
    count = whole_strides(time, stride)
    if abs(count * stride / time - 1) > 1e-6:
        strides = f"strides of {show_time(stride)}"
        say(f"note: {show_time(time)} is no whole number of {strides}; rounded up")
    return count


def _make_room(
    output: Path, written: list[Path], inputs: Iterable[Path | None], restart: bool
) -> None:
    """Refuse outputs that are there, or set them aside; never touch an input.

    Raises
    ------
    InputError
    """
    from ..errors import InputError
    from ..utils.resume import check_free, partial_folder

    own = {path.resolve() for path in inputs if path is not None}
    for path in written:
        if path.resolve() in own:
            raise InputError(
                f"{path}: is an input of this command and would be overwritten; choose another "
                "output"
            )
    if restart:
        previous = output.with_name(f"{output.stem}.previous")
        set_aside([*written, partial_folder(output)], previous)
    else:
        check_free(output)


def _history(complex: Complex, known: Snapshots | None, start: int | None, least: int) -> History:
    """Return the snapshots of one replica up to and including `start`, or the structure alone."""
    from ..errors import InputError
    from ..trajectory.history import History

    if known is None:
        if start is not None:
            raise typer.BadParameter("--start needs a trajectory")
        rest = ", with zero velocity and memory" if least else ""
        say(f"no trajectory: the run starts from the structure alone{rest}")
        return History.of(None, complex, least)
    last = len(known) - 1 if start is None else start
    if last >= len(known):
        raise InputError(f"--start {last}: the trajectory has snapshots 0 to {len(known) - 1}")
    first = next(segment.start for segment in known.segments if last in segment)
    say(f"known snapshots: {first} to {last} of the trajectory")
    return History.of(known[first : last + 1], complex)


def _announce(model: Model, history: History) -> None:
    """Say which kind of trajectory this will be; refuse a start from which the model cannot move.

    Raises
    ------
    InputError
    """
    from ..errors import InputError
    from ..simulation.movement import check_movement, mean_rmsf, trajectory_kind

    say(f"this trajectory is {trajectory_kind(model)}")
    try:
        check_movement(model, history)
    except InputError as error:
        raise InputError(f"{error}, or use neuralmd predict") from error
    known = mean_rmsf(history.ligand)
    if known is not None:
        say(f"the known snapshots move by {known:.2f} Å (RMSF over 5 snapshots)")
