"""`neuralmd campaign`: many complexes, prepared and run side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .command import resumable, say

HELP = """Prepare many complexes and make reference runs of each.

TARGETS.yaml names the complexes, the runs that each gets, and what they run on: processes of
this machine, or SLURM. See examples/campaign.yaml.

Run the same command again after an interruption: what is done is kept, what was begun goes on.
"""
EXAMPLE = "Example: neuralmd campaign targets.yaml"


def campaign(
    targets: Annotated[Path, typer.Argument(metavar="TARGETS.yaml", help="Settings of it all.")],
) -> None:
    """Check everything, do everything, list what failed."""
    from ..campaign.run import (
        count_snapshots,
        failures,
        report_path,
        run_campaign,
    )
    from ..campaign.settings import read_campaign
    from ..utils.progress import progress_bar

    settings = read_campaign(targets)
    total = count_snapshots(settings)
    say(f"{len(settings.targets)} complexes, {total} snapshots")
    hint = "run the same command again to go on"
    with resumable(hint), progress_bar("campaign", total, "snapshots") as advance:
        outcomes = run_campaign(settings, progress=advance)
    failed = failures(outcomes)
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} tasks done")
    typer.echo(f"folders: {settings.output}, report: {report_path(settings)}")
    for line in failed:
        say(f"failed: {line}")
    if failed:
        raise typer.Exit(1)
