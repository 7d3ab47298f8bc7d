"""Parts of a jump that all-atom physics checks, and their durations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from openmm_neuralmd.assessment.speed.learned import Learned
from openmm_neuralmd.assessment.speed.timing import (
    elapsed,
    in_turn,
    ns_per_day,
    spread,
)
from openmm_neuralmd.bindingnet import complex_tensors
from openmm_neuralmd.hybrid.contexts import context_cache
from openmm_neuralmd.hybrid.jump import NeuralMDJumpMove
from openmm_neuralmd.hybrid.jumped import JUMPED, PARTS, Jump
from openmm_neuralmd.hybrid.settings import JumpSettings
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.model import load_model
from openmm_neuralmd.simulation.export import ForceModule, export


class Hybrid(NamedTuple):
    """Jumps with all that belongs to them.

    Attributes
    ----------
    parts : dict of str to dict
        Seconds of each part as a `Spread`; a part that no jump came to is not there.
    accepted : int
        Jumps that passed every check.
    attempts : int
    reasons : list of str
        Why the others failed.
    fallback_ps : float
        MD that was really run to time a fallback, scaled up to the stride.
    moving : int
        Atoms that move.
    ns_per_day : list of float
        With fallbacks in the share that these attempts need, one for each attempt.
    """

    parts: dict[str, dict[str, float]]
    accepted: int
    attempts: int
    reasons: list[str]
    fallback_ps: float
    moving: int
    ns_per_day: list[float]

    def row(self, platform: str) -> dict[str, Any]:
        """Row of the table of speeds; its trajectory is neither MD's nor the model's."""
        return {
            "learned": True,
            "ns_per_day": spread(self.ns_per_day)._asdict(),
            "moving_atoms": self.moving,
            "platform": platform,
            "own_memory": True,
        }

    def counts(self) -> dict[str, Any]:
        """Counts of jumps and of reasons for a fallback, and the length of a fallback."""
        counted = ("attempts", "reasons", "fallback_ps")
        return {"kept": self.accepted, **{name: getattr(self, name) for name in counted}}


def starting(
    learned: Learned, model: str, folder: ComplexFolder, place: Path, repeats: int
) -> dict[str, dict[str, float]]:
    """Seconds of what comes before the first snapshot; the first time is not counted."""
    dynamics = learned.model.dynamics

    def load() -> None:
        load_model(model)
        ComplexFolder.open(folder.path).complex()

    def write() -> None:
        export(ForceModule(dynamics, learned.complex, learned.interval_ps), place / "force.pt")

    def exporting() -> float:
        dynamics.to("cpu")
        return elapsed(write)

    def featurise() -> None:
        c = complex_tensors(learned.complex, device=learned.device)
        with torch.no_grad():
            dynamics.to(learned.device).encode(c)

    measures: dict[str, Callable[[], float]] = {
        "loading": lambda: elapsed(load),
        "featurising": lambda: elapsed(featurise, learned.wait),
        "exporting": exporting,
    }
    repeats_of = in_turn(measures, repeats + 1)
    dynamics.to("cpu")
    return {name: spread(values[1:])._asdict() for name, values in repeats_of.items()}


def hybrid(
    model: str,
    folder: ComplexFolder,
    md: MDSettings,
    chosen: JumpSettings,
    repeats: int,
    longest_ps: float,
) -> Hybrid:
    """Jumps from the prepared pose, each with its own seed, and the MD of a fallback.

    Parameters
    ----------
    model : str
    folder : ComplexFolder
    md : MDSettings
    chosen : JumpSettings
    repeats : int
        Behind a first one that warms up.
    longest_ps : float
        MD that is run for a fallback, at most.
    """
    move = NeuralMDJumpMove(model, folder.path, md=md, settings=chosen)
    thermodynamic = move.thermodynamic_state()
    target, _ = context_cache(md).get_context(thermodynamic)
    steps = max(1, min(move.steps, round(longest_ps * 1000 / md.timestep_fs)))

    def attempt(seed: int) -> Jump:
        return move.attempt(target, thermodynamic, move.sampler_state(), seed)

    def fall_back() -> float:
        state = move.sampler_state()
        taken = elapsed(lambda: move.run(target, thermodynamic, state, steps, seed=1, fresh=True))
        return taken * move.steps / steps

    jumps = [attempt(seed) for seed in range(1, repeats + 2)][1:]
    fallbacks = in_turn({"fallback": fall_back}, repeats + 1)["fallback"][1:]
    accepted = sum(jump.kind == JUMPED for jump in jumps)
    dropped = 1.0 - accepted / len(jumps)
    costs = [
        sum(jump.seconds.values()) + dropped * seconds
        for jump, seconds in zip(jumps, fallbacks, strict=True)
    ]
    return Hybrid(
        parts={**_by_part(jumps), "fallback": spread(fallbacks)._asdict()},
        accepted=accepted,
        attempts=len(jumps),
        reasons=sorted({jump.reason for jump in jumps if jump.reason}),
        fallback_ps=steps * md.timestep_fs / 1000,
        moving=move.setup.counts()["moving"],
        ns_per_day=[ns_per_day(move.interval_ps, cost) for cost in costs],
    )


def _by_part(jumps: list[Jump]) -> dict[str, dict[str, Any]]:
    parts = {}
    for part in PARTS:
        seconds = [jump.seconds[part] for jump in jumps if part in jump.seconds]
        if seconds:
            parts[part] = spread(seconds)._asdict()
    return parts
