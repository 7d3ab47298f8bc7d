"""`neuralmd validate`: a model beside the trivial forecasts, on a trajectory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .command import say
from .sources import Source

if TYPE_CHECKING:
    from ..assessment import Stretch
    from ..training import Model
    from ..trajectories import Snapshots

HELP = """How right a model is on a trajectory, beside the trivial forecasts, with intervals.

Forecasts start from every few snapshots of what the model has not learned from; whatever a forecast
knows comes before it.
"""
EXAMPLE = "Example: neuralmd validate gpcr-ergotamine --example gpcr-ergotamine -o validation"
FEW = 8
"""Clusters below which a bootstrap's intervals are said to be too narrow."""
KNOWN = 30
"""Snapshots of a replica of its own that its first forecast knows."""


def validate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Bundled name, or model file.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="For JSON, Markdown and CSV.")
    ],
    ahead: Annotated[int, typer.Option(min=1, metavar="N", help="Snapshots to forecast.")] = 20,
    every: Annotated[
        int, typer.Option(min=1, metavar="N", help="Snapshots from one forecast to the next.")
    ] = 4,
    first: Annotated[
        int | None,
        typer.Option(
            "--from",
            min=2,
            metavar="INDEX",
            help="First snapshot to forecast; default: behind what the model learned from, or the "
            "last fifth of a trajectory it never saw.",
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
    """Find the stretches to forecast, assess, write."""
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
    from ..training import load_model

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
    _assess(loaded, snapshots, stretches, output, learned > 0)


def _learned(model: Model, source: Source) -> int:
    """Snapshots of this very trajectory that the model has learned from."""
    from ..assessment import learned_snapshots
    from ..examples import example_trajectory

    file = example_trajectory(source.example) if source.example else source.trajectory
    assert file is not None
    return learned_snapshots(model, file)


def _stretches(
    snapshots: Snapshots, begin: int, ahead: int, every: int, sdf: Path | None
) -> list[Stretch]:
    """One for each replica that has enough to forecast, from `begin` on."""
    import torch

    from ..assessment import Stretch, find_chemistry
    from ..errors import InputError

    chemistry = find_chemistry(sdf, snapshots)
    found = []
    for segment in snapshots.segments:
        # A replica that begins behind `begin` first has to be known a little.
        first = begin if begin > segment.start else segment.start + KNOWN
        if max(first, segment.start + 2) + ahead <= segment.stop:
            own = snapshots[segment.start : segment.stop]
            part = range(max(first - segment.start, 2), len(own))
            before = [s for s in snapshots.segments if s.stop <= segment.start]
            others = [torch.as_tensor(snapshots.ligand[s.start : s.stop]) for s in before]
            found.append(Stretch(own, part, ahead, every, chemistry, tuple(others)))
    if not found:
        raise InputError(
            f"no replica has {ahead} snapshots to forecast behind snapshot {begin}; take a shorter "
            "--ahead, or an earlier --from"
        )
    return found


def _assess(
    model: Model, snapshots: Snapshots, stretches: list[Stretch], output: Path, learned: bool
) -> None:
    import numpy as np

    from ..analysis.evaluation import Scores, differences, summary
    from ..analysis.markdown import ERRORS
    from ..analysis.statistics import consecutive_clusters
    from ..assessment import assess, steps
    from ..progress import progress_bar

    errors: Scores = {}
    ensembles: Scores = {}
    total = sum(steps(s, m) for s in stretches for m in (None, model))
    with progress_bar(model.card.name, total, "forecasts") as advance:
        for stretch in stretches:
            for contestant in (None, model):
                for into, new in zip(
                    (errors, ensembles), assess(stretch, contestant, advance), strict=True
                ):
                    for name, rows in new.items():
                        into.setdefault(name, []).extend(rows)
    # Forecasts that overlap in time share their truth: they are drawn together.
    length = -(-stretches[0].ahead // stretches[0].every)
    clusters = consecutive_clusters([len(s.origins) for s in stretches], length)
    result = {
        "model": {"name": model.card.name, "kind": model.card.kind, "sha256": model.sha256},
        "complex": snapshots.complex.name,
        "trajectory_seen_in_training": learned,
        "ahead": stretches[0].ahead,
        "origins": len(clusters),
        "clusters": len(np.unique(clusters)),
        "errors": summary(errors, clusters),
        "differences": differences(errors, model.card.kind, tuple(ERRORS), clusters),
        "ensembles": summary(ensembles),
    }
    _write(result, output)


def _write(result: dict[str, Any], output: Path) -> None:
    """validation.json, .md and .csv."""
    import csv
    import json

    from ..analysis.markdown import ENSEMBLES, ERRORS, metric_table
    from ..files import complete
    from ..provenance import provenance

    few = result["clusters"] < FEW
    caution = ", too narrow with so few of them" if few else ""
    text = (
        f"# {result['model']['name']} on {result['complex']}\n\n"
        f"{result['origins']} forecasts of {result['ahead']} snapshots, in {result['clusters']} "
        f"clusters that do not overlap; means with 95 % intervals{caution}.\n\n"
        f"{metric_table(result['errors'], ERRORS)}\n"
        f"{metric_table(result['ensembles'], ENSEMBLES)}"
    )
    with complete(output / "validation.csv") as path, path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["table", "method", "metric", "mean", "low", "high"])
        for table in ("errors", "ensembles"):
            for method, metrics in result[table].items():
                rows.writerows([table, method, key, *values] for key, values in metrics.items())
    with complete(output / "validation.md") as path:
        path.write_text(text)
    with complete(output / "validation.json") as path:
        path.write_text(json.dumps({**result, "provenance": provenance()}, indent=1) + "\n")
    typer.echo(text)
    typer.echo(f"written: {output}/validation.json, .md and .csv")
