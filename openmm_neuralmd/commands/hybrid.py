"""`neuralmd hybrid`: alternate learned jumps and all-atom MD."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..utils.times import show_time, whole_strides
from . import options
from .command import resumable, say, say_next
from .grouped import grouped

HELP = """Alternate learned jumps with all-atom MD; relax and check every jump with the force field.

A jump that fails a check is rejected and replaced by MD. This is not an unbiased sampler: the
probability of a jump is unknown, so averages depend on the model as well as on the force field.

The command writes a folder with trajectory.dcd, topology.pdb, hybrid.csv (one row for each
snapshot, with the reason for every rejected jump) and run.yaml.

To resume an interrupted run, run the same command again.
"""
EXAMPLE = (
    "Example: neuralmd hybrid runs/pocket/model.safetensors --complex complex --time 200ps "
    "--settings examples/hybrid.yaml -o runs/hybrid"
)


@grouped
def hybrid(
    model: Annotated[str, typer.Argument(help="Model file, or name of a bundled model.")],
    folder: Annotated[
        Path,
        typer.Option(
            "--complex",
            metavar="PATH",
            help=f"{options.COMPLEX} Jumps need the folder: it has the force field.",
        ),
    ],
    time: Annotated[
        float,
        options.duration(help="Simulated time, such as 200ps."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    settings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.yaml", help="Settings of jumps and MD; see examples/hybrid.yaml."
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="openmm|gromacs",
            help="Program that makes the MD, jumps included; gromacs runs gmx from PATH and is "
            "several times as fast on a CPU.  That of the settings by default.",
        ),
    ] = None,
    *,
    device: options.Device,
) -> None:
    """Check the options, run, and print a summary."""
    from dataclasses import replace

    from ..hybrid.run import run_hybrid
    from ..hybrid.settings import HybridSettings, read_hybrid
    from ..model import load_model
    from ..utils.progress import progress_bar

    chosen = HybridSettings() if settings is None else read_hybrid(settings)
    program: dict[str, Any] = {} if engine is None else {"engine": engine}
    chosen = replace(chosen, md=replace(chosen.md, **device.choices()), **program)
    step = chosen.jump.fitted(load_model(model)).card.interval_ps
    total = whole_strides(time, step)
    say(f"{total} snapshots, {show_time(step)} apart: {show_time(total * step)} in all")
    hint = "run the same command again to continue after the last snapshot"
    with resumable(hint), progress_bar("hybrid", total, "snapshots") as advance:
        run = run_hybrid(model, folder, output, time, settings=chosen, progress=advance)
    typer.echo(f"trajectory: {run.trajectory} ({run.snapshots} snapshots)")
    typer.echo(f"topology: {run.topology}, log: {run.log}")
    tried = run.kinds["jump"] + run.kinds["fallback"]
    typer.echo(f"accepted jumps: {run.kinds['jump']} of {tried}; strides of MD: {run.kinds['md']}")
    for reason, count in run.reasons.most_common():
        typer.echo(f"dropped jumps, {reason}: {count}")
    say_next("vmd", run.topology, run.trajectory)
    typer.echo(run.use)
