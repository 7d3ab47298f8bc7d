"""`neuralmd validate`: evaluate a model on a trajectory, and write a report and a card."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .command import say
from .grouped import grouped
from .sources import Source

if TYPE_CHECKING:
    from ..report.validation import Request

HELP = """Evaluate a model against naive baselines on a trajectory and write a report.

Forecasts start at regular intervals in the part of the trajectory that was not used for training.
Each forecast uses earlier snapshots only. The model without its network (F = 0), the mechanics of
the model and its speed on this machine are measured too.
"""
EXAMPLE = "Example: neuralmd validate gpcr-ergotamine --example gpcr-ergotamine -o validation"
PARTS = ("ablation", "mechanics", "speed")
"""Parts that `--skip` can leave out: those of `report.validation`, which is too heavy to import."""


@dataclass(frozen=True)
class Measured:
    """Options that say what is measured."""

    ahead: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Horizon of a forecast, in snapshots; at least 5."),
    ] = 20
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Snapshots between the starts of two forecasts.")
    ] = 4
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=2,
            metavar="INDEX",
            help="First snapshot to forecast. Default: the first after the training part, or the "
            "start of the last fifth of a trajectory that was not used for training.",
        ),
    ] = None
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help=f"Part to leave out: {', '.join(PARTS)}. Can be repeated.",
        ),
    ] = None
    prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of neuralmd prepare for the complex: all-atom MD is then timed too.",
        ),
    ] = None
    speed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Timings by validation/speedup.py, in place of own ones."
        ),
    ] = None
    checks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Checks by validation/conservation.py, in place of own ones.",
        ),
    ] = None

    platform: Annotated[str | None, typer.Option(metavar="NAME", help=options.PLATFORM)] = None

    def request(self) -> Request:
        """Make a request of these options; refuse a wrong combination as wrong usage."""
        options.warn_of_platform(self.platform)
        for part in self.skip or ():
            if part not in PARTS:
                raise typer.BadParameter(f"--skip {part}: known parts are {', '.join(PARTS)}")
        from ..assessment.check import read_checks
        from ..assessment.partition import check_horizon
        from ..errors import InputError
        from ..md.folder import ComplexFolder
        from ..report.speed import read_speed
        from ..report.validation import Request

        try:
            check_horizon(self.ahead)
        except InputError as error:
            raise typer.BadParameter(str(error)) from error
        return Request(
            self.ahead,
            self.every,
            self.first,
            frozenset(self.skip or ()),
            ComplexFolder.open(self.prepared) if self.prepared else None,
            read_speed(self.speed) if self.speed else None,
            read_checks(self.checks) if self.checks else None,
            self.platform,
        )


@grouped
def validate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model file, or name of a bundled model.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    *,
    measured: Measured,
    source: Source,
) -> None:
    """Measure what was asked for, write the report and print its tables."""
    source = source.check()
    request = measured.request()
    from ..errors import InputError
    from ..report.outputs import markdown, write_outputs
    from ..report.validation import Data
    from ..report.validation import validate as run
    from ..utils.progress import progress_bar
    from ..utils.resume import check_free, complete_folder

    check_free(output)
    _, snapshots = source.read()
    if snapshots is None:
        raise InputError("there is nothing to compare with; name a --trajectory")
    data = Data(snapshots, source.trajectory_file, source.sdf_file)
    evidence = run(model, data, request, progress_bar, say)
    with complete_folder(output) as folder:
        write_outputs(evidence, folder)
    typer.echo(markdown(evidence.result))
    typer.echo(f"written: {output}/report.html, validity.json, validation.json, .md and .csv")
