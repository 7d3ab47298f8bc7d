"""`neuralmd campaign`: prepare and run many complexes in parallel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .command import resumable, say
from .grouped import grouped

HELP = """Prepare many complexes and run all-atom reference MD for each of them.

TARGETS.yaml lists the complexes, the runs for each of them, and where the runs are executed: in
processes on this machine, or on SLURM. See examples/campaign.yaml.

To resume an interrupted campaign, run the same command again: finished tasks are not repeated,
unfinished tasks continue from their last checkpoint.
"""
EXAMPLE = "Example: neuralmd campaign targets.yaml"


@grouped
def campaign(
    targets: Annotated[Path, typer.Argument(metavar="TARGETS.yaml", help="Campaign settings.")],
    *,
    device: options.Device,
) -> None:
    """Check the settings, run all tasks, list the failures."""
    from ..campaign.run import (
        count_snapshots,
        failures,
        report_path,
        run_campaign,
    )
    from ..campaign.settings import read_campaign
    from ..utils.progress import progress_bar

    settings = read_campaign(targets).on_platform(**device.choices())
    total = count_snapshots(settings)
    say(f"{len(settings.targets)} complexes, {total} snapshots")
    hint = "run the same command again to continue"
    with resumable(hint), progress_bar("campaign", total, "snapshots") as advance:
        outcomes = run_campaign(settings, progress=advance)
    failed = failures(outcomes)
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} tasks done")
    typer.echo(f"folders: {settings.output}, report: {report_path(settings)}")
    for line in failed:
        say(f"failed: {line}")
    if failed:
        raise typer.Exit(1)
