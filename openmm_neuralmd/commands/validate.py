"""`neuralmd validate`: evaluate a model on a trajectory, and write a report and a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from . import options
from .command import say
from .sources import Source

if TYPE_CHECKING:
    from ..analysis.record import Record
    from ..assessment.check import Check
    from ..assessment.run import Assessment
    from ..assessment.stretch import Stretch
    from ..md.folder import ComplexFolder
    from ..model import Model
    from ..report.speed import Speed
    from ..trajectory.snapshots import Snapshots

HELP = """Evaluate a model against naive baselines on a trajectory and write a report.

Forecasts start at regular intervals in the part of the trajectory that was not used for training.
Each forecast uses earlier snapshots only. The model without its network (F = 0), the mechanics of
the model and its speed on this machine are measured too.
"""
EXAMPLE = "Example: neuralmd validate gpcr-ergotamine --example gpcr-ergotamine -o validation"
KNOWN = 30
"""Shortest history, in snapshots, of the first forecast in a replica that was not trained on."""
PARTS = ("ablation", "mechanics", "speed")
"""Parts that `--skip` can leave out."""


def validate(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Model file, or name of a bundled model.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Output folder.")],
    ahead: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Horizon of a forecast, in snapshots; at least 5."),
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
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help=f"Part to leave out: {', '.join(PARTS)}. Can be repeated.",
        ),
    ] = None,
    prepared: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of neuralmd prepare for the complex: all-atom MD is then timed too.",
        ),
    ] = None,
    speed: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Timings by validation/speedup.py, in place of own ones."
        ),
    ] = None,
    checks: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Checks by validation/conservation.py, in place of own ones.",
        ),
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
    """Check the request, assess, measure, write."""
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
    left_out = _left_out(skip)
    _check_ahead(ahead)
    from ..assessment.check import read_checks
    from ..errors import InputError
    from ..md.folder import ComplexFolder
    from ..model import load_model
    from ..report.speed import read_speed

    timed = read_speed(speed) if speed else None
    judged = read_checks(checks) if checks else None
    folder = ComplexFolder.open(prepared) if prepared else None
    if output.exists():
        raise InputError(f"{output}: exists; choose another folder")
    loaded = load_model(model)
    _, snapshots = source.read()
    if snapshots is None:
        raise InputError("there is nothing to compare with; name a --trajectory")
    loaded.check(snapshots.complex, snapshots.interval_ps)
    learned = _learned(loaded, source)
    begin = _begin(first, learned, len(snapshots))
    stretches = _stretches(snapshots, begin, ahead, every, source.sdf_file)
    say(f"{sum(len(s.origins) for s in stretches)} origins in snapshots {begin} and later")
    assessment = _assess(loaded, stretches, "ablation" not in left_out)
    if judged is None:
        judged = [] if "mechanics" in left_out else _mechanics(model, snapshots)
    if timed is None and "speed" not in left_out:
        timed = _speed(loaded, snapshots, folder)
    result = {**assessment.result, **_origin(source, learned)}
    _write(loaded, stretches[0], Assessed(result, assessment.record, judged, timed), output)


class Assessed(NamedTuple):
    """All that was measured.

    Attributes
    ----------
    result : dict
        Content of `validation.json`.
    record : Record
    checks : list of Check
        Checks of mechanics.
    speed : Speed or None
    """

    result: dict[str, Any]
    record: Record
    checks: list[Check]
    speed: Speed | None


def _write(model: Model, stretch: Stretch, assessed: Assessed, output: Path) -> None:
    from ..report.evidence import Evidence
    from ..report.outputs import markdown, write_outputs

    result, record, checks, speed = assessed
    complex, chemistry = stretch.snapshots.complex, stretch.chemistry
    write_outputs(Evidence(result, record, model.card, complex, chemistry, speed, checks), output)
    typer.echo(markdown(result))
    typer.echo(f"written: {output}/report.html, validity.json, validation.json, .md and .csv")


def _left_out(skip: list[str] | None) -> set[str]:
    """The parts that are skipped, after a check of their names."""
    for part in skip or ():
        if part not in PARTS:
            raise typer.BadParameter(f"--skip {part}: known parts are {', '.join(PARTS)}")
    return set(skip or ())


def _check_ahead(ahead: int) -> None:
    """Refuse forecasts that are shorter than the window in which fluctuation is measured."""
    from ..analysis.fluctuation import WINDOW

    if ahead < WINDOW:
        raise typer.BadParameter(
            f"--ahead {ahead}: fluctuation is measured in windows of {WINDOW} snapshots; take "
            f"--ahead {WINDOW} or more"
        )


def _begin(first: int | None, learned: int, count: int) -> int:
    """Index of the first snapshot to forecast."""
    from ..errors import InputError

    begin = first if first is not None else learned or round(0.8 * count)
    if begin < learned:
        raise InputError(
            f"--from {begin}: the model has learned from snapshots 0 to {learned - 1} of this "
            f"trajectory; take --from {learned} or later"
        )
    return begin


def _learned(model: Model, source: Source) -> int:
    """Number of snapshots of this very trajectory that the model has learned from."""
    from ..assessment.stretch import learned_snapshots

    return learned_snapshots(model, source.trajectory_file)


def _stretches(
    snapshots: Snapshots, begin: int, ahead: int, every: int, sdf: Path | None
) -> list[Stretch]:
    """One stretch for each replica that has enough to forecast, from `begin` on."""
    import torch

    from ..assessment.chemistry import find_chemistry
    from ..assessment.stretch import Stretch
    from ..errors import InputError

    chemistry = find_chemistry(sdf, snapshots)
    stretches = []
    for segment in snapshots.segments:
        # A replica that starts after `begin` needs some known snapshots first.
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
            f"no replica has {ahead} snapshots to forecast behind snapshot {begin}; take a shorter "
            "--ahead, or an earlier --from"
        )
    return stretches


def _assess(model: Model, stretches: list[Stretch], ablation: bool) -> Assessment:
    from ..assessment.run import assess_all, assessment_steps
    from ..utils.progress import progress_bar

    total = assessment_steps(model, stretches, ablation)
    with progress_bar(model.card.name, total, "forecasts") as advance:
        return assess_all(model, stretches, advance, ablation)


def _mechanics(name: str, snapshots: Snapshots) -> list[Check]:
    """Checks of the model in double precision: what is asked is whether its equations hold."""
    import torch

    from ..assessment.mechanics.conservation import PARTS as CHECKED
    from ..assessment.mechanics.conservation import conservation
    from ..model import load_model
    from ..trajectory.history import History
    from ..utils.progress import progress_bar

    history = History.of(snapshots[: snapshots.segments[0].stop][:KNOWN], snapshots.complex)
    with progress_bar("mechanics", len(CHECKED), "parts") as advance:
        return conservation(load_model(name, torch.float64), history, advance)


def _speed(model: Model, snapshots: Snapshots, prepared: ComplexFolder | None) -> Speed:
    from ..assessment.speed.race import measure_speed, speed_steps
    from ..report.speed import Speed
    from ..utils.progress import progress_bar
    from ..utils.provenance import provenance

    total = speed_steps(prepared is not None)
    with progress_bar("speed", total, "repeats") as advance:
        result = measure_speed(model, snapshots, prepared=prepared, advance=advance)
    return Speed.model_validate({**result, "provenance": provenance()})


def _origin(source: Source, learned: int) -> dict[str, Any]:
    """Trajectory, seed and provenance, for the result."""
    from ..assessment.contestants import SEED
    from ..utils.files import sha256
    from ..utils.provenance import provenance

    file = source.trajectory_file
    return {
        "trajectory": {"file": file.name, "sha256": sha256(file)},
        "trajectory_seen_in_training": learned > 0,
        "seed": SEED,
        "provenance": provenance(),
    }
