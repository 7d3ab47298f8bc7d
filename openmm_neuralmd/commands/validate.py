"""`neuralmd validate`: evaluate a model against naive baselines on a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .command import say
from .sources import Source

if TYPE_CHECKING:
    from ..assessment.run import Assessment
    from ..assessment.stretch import Stretch
    from ..model import Model
    from ..trajectory.snapshots import Snapshots

HELP = """Evaluate a model against naive baselines on a trajectory and write a report.

Forecasts start at regular intervals in the part of the trajectory that was not used for training.
Each forecast uses earlier snapshots only.
"""
EXAMPLE = "Example: neuralmd validate gpcr-ergotamine --example gpcr-ergotamine -o validation"
KNOWN = 30
"""Shortest history, in snapshots, of the first forecast in a replica that was not trained on."""


def validate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model file, or name of a bundled model.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    ahead: Annotated[
        int, typer.Option(min=1, metavar="N", help="Horizon of a forecast, in snapshots.")
    ] = 20,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Snapshots between the starts of two forecasts.")
    ] = 4,
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=2,
            metavar="INDEX",
            help="First snapshot to forecast. Default: the first after the training part, or the "
            "start of the last fifth of a trajectory that was not used for training.",
        ),
    ] = None,
    speed: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Timings by validation/speedup.py to include."),
    ] = None,
    checks: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Checks by validation/conservation.py to include."),
    ] = None,
    complex_file: options.ComplexFile = None,
    coordinates: options.Coordinates = None,
    trajectory: options.Trajectory = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
    stride: options.Stride = None,
    boundaries: options.Boundaries = None,
    example: options.Example = None,
) -> None:
    """Select the stretches to forecast, assess the model, and write the report."""
    source = Source(
        complex_file,
        example,
        trajectory,
        ligand,
        sdf,
        coordinates,
        interval,
        stride,
        tuple(boundaries) if boundaries else None,
    )
    source.check()
    from ..errors import InputError
    from ..model import load_model
    from ..report.checks import read_checks
    from ..report.evidence import Evidence
    from ..report.outputs import markdown, write_outputs
    from ..report.speed import read_speed
    from ..utils.optional import optional_import

    for library in ("posebusters", "prolif"):
        optional_import(library, extra="validate", purpose="neuralmd validate")
    timed = read_speed(speed) if speed else None
    judged = read_checks(checks) if checks else []
    if output.exists():
        raise InputError(f"{output}: exists; choose another folder")
    loaded = load_model(model)
    _, snapshots = source.read()
    if snapshots is None:
        raise InputError("there is nothing to compare with; name a --trajectory")
    loaded.check(snapshots.complex, snapshots.interval_ps)
    learned = _learned(loaded, source)
    begin = first if first is not None else learned or round(0.8 * len(snapshots))
    if begin < learned:
        raise InputError(
            f"--from {begin}: the model has learned from snapshots 0 to {learned - 1} of this "
            f"trajectory; take --from {learned} or later"
        )
    stretches = _stretches(snapshots, begin, ahead, every, sdf)
    say(f"{sum(len(s.origins) for s in stretches)} origins in snapshots {begin} and later")
    assessment = _assess(loaded, stretches)
    result = {**assessment.result, **_origin(source, learned)}
    chemistry = stretches[0].chemistry
    evidence = Evidence(
        result, assessment.record, loaded.card, snapshots.complex, chemistry, timed, judged
    )
    write_outputs(evidence, output)
    typer.echo(markdown(result))
    typer.echo(f"written: {output}/report.html, validity.json, validation.json, .md and .csv")


def _learned(model: Model, source: Source) -> int:
    """Return how many snapshots of this trajectory the model was trained on."""
    from ..assessment.stretch import learned_snapshots

    return learned_snapshots(model, source.trajectory_file)


def _stretches(
    snapshots: Snapshots, begin: int, ahead: int, every: int, sdf: Path | None
) -> list[Stretch]:
    """Return one stretch for each replica with enough snapshots after `begin`."""
    import torch

    from ..assessment.stretch import Stretch, find_chemistry
    from ..errors import InputError

    chemistry = find_chemistry(sdf, snapshots)
    stretches = []
    for segment in snapshots.segments:
        # A replica that starts after `begin` needs a short history before its first forecast.
        first = begin if begin > segment.start else segment.start + KNOWN
        if max(first, segment.start + 2) + ahead <= segment.stop:
            own = snapshots[segment.start : segment.stop]
            part = range(max(first - segment.start, 2), len(own))
            before = [s for s in snapshots.segments if s.stop <= segment.start]
            others = [torch.as_tensor(snapshots.ligand[s.start : s.stop]) for s in before]
            stretches.append(
                Stretch(own, part, ahead, every, chemistry, tuple(others), segment.start)
            )
    if not stretches:
        raise InputError(
            f"no replica has {ahead} snapshots to forecast after snapshot {begin}; take a shorter "
            "--ahead, or an earlier --from"
        )
    return stretches


def _assess(model: Model, stretches: list[Stretch]) -> Assessment:
    from ..assessment.run import assess_all
    from ..assessment.stretch import steps
    from ..utils.progress import progress_bar

    total = sum(steps(s, m) for s in stretches for m in (None, model))
    with progress_bar(model.card.name, total, "forecasts") as advance:
        return assess_all(model, stretches, advance)


def _origin(source: Source, learned: int) -> dict[str, Any]:
    """Return what the result records about trajectory, seed and machine."""
    from ..assessment.stretch import SEED
    from ..utils.files import sha256
    from ..utils.provenance import provenance

    file = source.trajectory_file
    return {
        "trajectory": {"file": file.name, "sha256": sha256(file)},
        "trajectory_seen_in_training": learned > 0,
        "seed": SEED,
        "provenance": provenance(),
    }
