"""Simulated ns/day of several contestants, measured in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...md.folder import ComplexFolder
from ...model import Model
from ...simulation.backends import BACKENDS
from ...trajectory.snapshots import Snapshots
from ...utils.platforms import choose_platform
from ...utils.progress import Advance, silent
from .all_atom import ENGINES, Contestant, Pace, Variant, ready, threads_of
from .comparison import in_words, ratios, with_samples
from .learned import Learned
from .samples import KNOWN, SHORTEST, Run, memories
from .timing import in_turn, spread
from .variants import variants

LONGEST = 200
"""Snapshots of a trajectory that memories are compared on."""


def makers(
    all_atom: Mapping[str, Variant],
    learned: Learned,
    place: Path,
    pace: Pace,
    backends: Sequence[str],
    replicas: int,
) -> dict[str, Callable[[], Contestant]]:
    """Functions that prepare the contestants, by the names of the contestants.

    Parameters
    ----------
    all_atom : mapping
        All-atom MD, see `variants.variants`.
    learned : Learned
    place : Path
        A folder for files.
    pace : Pace
    backends : sequence of str
        Backends of NeuralMD in OpenMM.
    replicas : int
        Replicas at once in torch, beside one alone.
    """

    def prepare(number: int, variant: Variant) -> Contestant:
        own = place / f"variant-{number}"
        own.mkdir()
        return variant.contestant(own, pace)

    entered: dict[str, Callable[[], Contestant]] = {
        name: partial(prepare, number, variant)
        for number, (name, variant) in enumerate(all_atom.items())
    }
    for backend in backends:
        name = f"NeuralMD in OpenMM, {backend}"
        entered[name] = partial(learned.in_openmm, backend, pace.seconds)
    for count in dict.fromkeys((1, replicas)):
        many = "one replica" if count == 1 else f"{count} replicas at once"
        entered[f"NeuralMD in torch, {many}"] = partial(learned.in_torch, count, pace.seconds)
    return entered


def raced(
    contestants: Mapping[str, Contestant],
    all_atom: Mapping[str, Variant],
    repeats: int,
    advance: Advance = silent,
) -> dict[str, dict[str, Any]]:
    """Measure ns/day of all contestants in turn; `advance` is called for every repeat."""
    measures = {name: contestant.measure for name, contestant in contestants.items()}
    rates = in_turn(measures, repeats, advance)
    return {
        name: {
            "learned": name not in all_atom,
            "ns_per_day": spread(rates[name])._asdict(),
            "moving_atoms": contestant.moving,
            "atoms": contestant.atoms,
            "platform": contestant.platform,
            "copies": contestant.copies,
        }
        for name, contestant in contestants.items()
    }


def measure_speed(
    model: Model,
    snapshots: Snapshots,
    *,
    prepared: ComplexFolder | None = None,
    platform: str | None = None,
    repeats: int = 3,
    seconds: float = 1.0,
    replicas: int = 16,
    advance: Advance = silent,
) -> dict[str, Any]:
    """Measure the speed of a model on a complex, and of all-atom MD where it can be run.

    Parameters
    ----------
    model : Model
    snapshots : Snapshots
        A trajectory of the complex at the model's interval.
    prepared : ComplexFolder, optional
        The complex with its force field; all-atom MD by OpenMM is then measured too.
    platform : str, optional
        Platform of OpenMM; the fastest by default.
    repeats : int
    seconds : float
        Wall time of a repeat, approximately.
    replicas : int
        Replicas at once in torch.
    advance : callable
        Called for every contestant that is prepared and for every repeat.

    Returns
    -------
    dict
        As a result file of `validation/speedup.py`, without the parts of a jump.
    """
    chosen = choose_platform(platform).getName()
    threads = len(os.sched_getaffinity(0))
    complex = model.fitted(snapshots.complex)
    first = snapshots.segments[0]
    known = snapshots.ligand[first.start : first.stop][:KNOWN]
    learned = Learned(model, complex, known, chosen, threads)
    common = {"platform": chosen, "properties": threads_of(chosen, threads)}
    folders = [] if prepared is None else [prepared]
    all_atom = variants(folders, list(ENGINES)[:1], ["flexible"], common, quick=True)
    with TemporaryDirectory(prefix="neuralmd-speed-") as name:
        entered = makers(all_atom, learned, Path(name), Pace(seconds), list(BACKENDS), replicas)
        contestants, left_out = ready(entered, lambda who: advance(1, who))
        rows = raced(contestants, all_atom, repeats, advance)
    memory = _memory(model, snapshots)
    rows = with_samples(rows, memory)
    result = {
        "complex": complex.name,
        "what": f"Simulated ns/day on {complex.name}, {repeats} repeats in turn",
        "rows": rows,
        "parts": {},
        "jumps": None,
        "interval_ps": learned.interval_ps,
        "model": model.sha256,
        "ratio_to_fastest_all_atom": ratios(rows, learned.interval_ps),
        "memory": memory,
        "validity": None,
        "left_out": left_out,
    }
    return {**result, "in_words": in_words(result, model)}


def speed_steps(prepared: bool, repeats: int = 3) -> int:
    """Return how often `measure_speed` calls `advance` if every contestant can be prepared."""
    return (len(BACKENDS) + 2 + prepared) * (1 + repeats)


def _memory(model: Model, snapshots: Snapshots) -> dict[str, Any] | None:
    """Memory of the MD and of the model; None where the first replica is too short."""
    first = snapshots.segments[0]
    part = snapshots[first.start : min(first.stop, first.start + KNOWN + LONGEST)]
    if len(part) < KNOWN + SHORTEST:
        return None
    return memories(model, Run(snapshots.complex.name, part, part))
