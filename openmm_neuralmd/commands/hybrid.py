"""`neuralmd hybrid`: learned jumps and all-atom MD in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..utils.times import show_time, whole_strides
from . import options
from .command import resumable, say

HELP = """Alternate learned jumps, each relaxed and checked by all-atom physics, and all-atom MD.

A jump that fails a check is dropped, and MD fills its place. Not an unbiased sampler: a jump has
no known probability, so averages are the model's as much as the force field's.

Writes a folder: trajectory.dcd, topology.pdb, hybrid.csv (which snapshots were jumped, and why
others were not), run.yaml. Run the same command again after an interruption.
"""
EXAMPLE = (
    "Example: neuralmd hybrid runs/pocket/model.safetensors --complex complex --time 200ps "
    "--settings examples/hybrid.yaml -o runs/hybrid"
)


def hybrid(
    model: Annotated[str, typer.Argument(help="Model file, or a bundled name.")],
    folder: Annotated[
        Path, typer.Option("--complex", metavar="DIR", help="Folder of neuralmd prepare.")
    ],
    time: Annotated[
        float, typer.Option(metavar="TIME", parser=options.time_option, help="How long: 200ps.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")
    ],
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="How jumps and MD alternate; what moves."),
    ] = None,
) -> None:
    """Check the request, run, report."""
    from ..hybrid.run import run_hybrid
    from ..hybrid.settings import HybridSettings, read_hybrid
    from ..model import load_model
    from ..utils.progress import progress_bar

    chosen = HybridSettings() if settings is None else read_hybrid(settings)
    step = load_model(model).card.interval_ps
    total = whole_strides(time, step)
    say(f"{total} snapshots, {show_time(step)} apart: {show_time(total * step)} in all")
    hint = "run the same command again to go on after the last snapshot"
    with resumable(hint), progress_bar("hybrid", total, "snapshots") as advance:
        run = run_hybrid(model, folder, output, time, settings=chosen, progress=advance)
    typer.echo(f"trajectory: {run.trajectory} ({run.snapshots} snapshots)")
    typer.echo(f"topology: {run.topology}, log: {run.log}")
    tried = run.kinds["jump"] + run.kinds["fallback"]
    typer.echo(f"jumps kept: {run.kinds['jump']} of {tried}; strides of MD: {run.kinds['md']}")
    for reason, count in run.reasons.most_common():
        typer.echo(f"dropped, {reason}: {count}")
    typer.echo(f"next: vmd {run.topology} {run.trajectory}")
