"""`validate`: all that is measured for a report and a validity card, in one call."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..assessment.check import Check
from ..assessment.contestants import SEED
from ..assessment.mechanics.conservation import PARTS as CHECKED
from ..assessment.mechanics.conservation import conservation
from ..assessment.partition import KNOWN, check_horizon, find_stretches, first_forecast
from ..assessment.run import assess_all, assessment_steps
from ..assessment.speed.race import measure_speed, speed_steps
from ..assessment.stretch import learned_snapshots
from ..md.folder import ComplexFolder
from ..model import Model, load_model
from ..trajectory.history import History
from ..trajectory.snapshots import Snapshots
from ..utils.files import sha256
from ..utils.progress import Advance
from ..utils.provenance import provenance
from .evidence import Evidence
from .speed import Speed

PARTS = ("ablation", "mechanics", "speed")
"""Parts that can be left out."""

Bar = Callable[[str, int, str], AbstractContextManager[Advance]]
"""Title, number of units and name of a unit to a bar; see `utils.progress.progress_bar`."""


@dataclass(frozen=True)
class Request:
    """Request of a validation.

    Attributes
    ----------
    ahead, every : int
        Snapshots to forecast, and from the start of one forecast to that of the next.
    first : int, optional
        First snapshot to forecast; see `assessment.partition.first_forecast`.
    skip : set of str
        `PARTS` that are left out.
    prepared : ComplexFolder, optional
        The complex with its force field: all-atom MD is timed too.
    speed : Speed, optional
        Timings to use in place of own ones.
    checks : list of Check, optional
        Checks of mechanics to use in place of own ones.
    platform : str, optional
        On which OpenMM is timed; the fastest by default.
    """

    ahead: int = 20
    every: int = 4
    first: int | None = None
    skip: frozenset[str] = frozenset()
    prepared: ComplexFolder | None = None
    speed: Speed | None = None
    checks: list[Check] | None = None
    platform: str | None = None


@dataclass(frozen=True)
class Data:
    """Snapshots with the files that they come from.

    Attributes
    ----------
    snapshots : Snapshots
    trajectory : Path
    sdf : Path or None
        The ligand with its bond orders.
    """

    snapshots: Snapshots
    trajectory: Path
    sdf: Path | None


def validate(
    name: str, data: Data, request: Request, bar: Bar, note: Callable[[str], None]
) -> Evidence:
    """Evaluate a model against naive baselines, check its mechanics, and time it.

    Parameters
    ----------
    name : str
        Model file, or name of a bundled model.
    data : Data
    request : Request
    bar : callable
        Shows the progress of each part.
    note : callable
        Called with a line that says what is forecast.

    Raises
    ------
    ModelError, InputError
        Model, complex and request do not fit each other.
    """
    check_horizon(request.ahead)
    model, snapshots = load_model(name), data.snapshots
    model.check(snapshots.complex, snapshots.interval_ps)
    learned = learned_snapshots(model, data.trajectory)
    begin = first_forecast(request.first, learned, len(snapshots))
    stretches = find_stretches(snapshots, begin, request.ahead, request.every, data.sdf)
    note(f"{sum(len(s.origins) for s in stretches)} origins in snapshots {begin} and later")
    ablation = "ablation" not in request.skip
    total = assessment_steps(model, stretches, ablation)
    with bar(model.card.name, total, "forecasts") as advance:
        assessment = assess_all(model, stretches, advance, ablation)
    checks = _checks(name, snapshots, request, bar)
    return Evidence(
        {**assessment.result, **_origin(data, learned)},
        assessment.record,
        model.card,
        snapshots.complex,
        stretches[0].chemistry,
        _speed(model, snapshots, request, bar),
        checks,
    )


def _checks(name: str, snapshots: Snapshots, request: Request, bar: Bar) -> list[Check]:
    """Checks of the model in double precision: what is asked is whether its equations hold."""
    if request.checks is not None:
        return request.checks
    if "mechanics" in request.skip:
        return []
    history = History.of(snapshots[: snapshots.segments[0].stop][:KNOWN], snapshots.complex)
    with bar("mechanics", len(CHECKED), "parts") as advance:
        return conservation(load_model(name, torch.float64), history, advance)


def _speed(model: Model, snapshots: Snapshots, request: Request, bar: Bar) -> Speed | None:
    if request.speed is not None or "speed" in request.skip:
        return request.speed
    prepared = request.prepared
    with bar("speed", speed_steps(prepared is not None), "repeats") as advance:
        result = measure_speed(
            model, snapshots, prepared=prepared, platform=request.platform, advance=advance
        )
    return Speed.model_validate({**result, "provenance": provenance()})


def _origin(data: Data, learned: int) -> dict[str, Any]:
    """Trajectory, seed and provenance, for the result."""
    return {
        "trajectory": {"file": data.trajectory.name, "sha256": sha256(data.trajectory)},
        "trajectory_seen_in_training": learned > 0,
        "seed": SEED,
        "provenance": provenance(),
    }
