"""Arguments of `accuracy.py`, and the division of its trajectories for learning and testing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator

from openmm_neuralmd.analysis.evaluation import Chemistry
from openmm_neuralmd.assessment.chemistry import find_chemistry
from openmm_neuralmd.assessment.stretch import Stretch
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.settings import DataSettings
from openmm_neuralmd.training.windows import Trajectory

HERE = Path(__file__).parent


class CompareSettings(BaseModel):
    """A comparison.

    Attributes
    ----------
    about : str
    data : tuple of DataSettings
        Trajectories, or
    set : str
        a reference set, of which every complex is taken.
    protocol : {'time', 'left-out'}
        'time': learn the first `train_share` of every replica, test on the rest, in `stretches`
        parts.  'left-out': learn on other replicas (of other complexes, where the data are of
        several), test on all of those left out; `folds` of them.  A ligand with an element that
        nothing else in its fold has is in no test: no model could know it.
    known : int
        Snapshots of its replica that the first origin knows, at least.
    ahead, every : int
        Snapshots to forecast, and from one origin to the next.
    models : dict
        Training settings by the name of the dynamics, or by a label of their own with the name in
        'dynamics'; 'common' is merged into all.
    ablated : tuple of str
        Labels of the models that are tested with their force switched off, too.
    seeds : tuple of int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    data: tuple[DataSettings, ...] = ()
    set: str | None = None
    protocol: Literal["time", "left-out"]
    train_share: float = Field(0.4, gt=0, lt=1)
    stretches: int = Field(3, ge=1)
    folds: int = Field(3, ge=2)
    known: int = Field(30, ge=2)
    ahead: int = Field(20, ge=1)
    every: int = Field(4, ge=1)
    common: dict[str, Any] = {}
    models: dict[str, dict[str, Any]]
    ablated: tuple[str, ...] = ("neuralmd-ode",)
    seeds: tuple[int, ...] = (0, 42, 123)

    @model_validator(mode="after")
    def _one_source(self) -> CompareSettings:
        if bool(self.data) == (self.set is not None):
            raise ValueError("a comparison needs either 'data' or 'set'")
        return self

    @property
    def trajectories(self) -> tuple[DataSettings, ...]:
        """Trajectories of the comparison."""
        if self.set is None:
            return self.data
        folder = HERE / "reference_sets" / self.set
        complexes = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["complexes"]
        return tuple(
            DataSettings(
                topology=folder / name / "topology.pdb",
                trajectory=folder / name / "trajectory.xtc",
                sdf=folder / name / "ligand.sdf",
            )
            for name in sorted(complexes)
        )


@dataclass(frozen=True)
class Fold:
    """Trajectories to learn from, and stretches to test on."""

    name: str
    training: list[Trajectory]
    train_fraction: float
    tests: list[Stretch]


def divided(settings: CompareSettings) -> list[Fold]:
    """The folds of a comparison, a replica being what is divided or left out."""
    replicas: list[tuple[Trajectory, Chemistry]] = []
    for part in settings.trajectories:
        for trajectory in read_trajectories([part]):
            snapshots = trajectory.load()
            chemistry = find_chemistry(part.sdf, snapshots)
            for number, segment in enumerate(snapshots.segments):
                own = snapshots[segment.start : segment.stop]
                identity = {**trajectory.identity, "replica": number}
                replicas.append((Trajectory.of(own, identity), chemistry))
    if settings.protocol == "time":
        tests = [test for replica in replicas for test in _rest(settings, *replica)]
        return [Fold("time", [t for t, _ in replicas], settings.train_share, tests)]
    return [_left_out(settings, replicas, k) for k in range(settings.folds)]


def _rest(settings: CompareSettings, trajectory: Trajectory, chemistry: Chemistry) -> list[Stretch]:
    first = max(round(len(trajectory) * settings.train_share), settings.known)
    edges = np.linspace(first, len(trajectory), settings.stretches + 1).round().astype(int)
    parts = [range(a, b) for a, b in pairwise(edges)]
    steps = settings.ahead, settings.every
    return [Stretch(trajectory.load(), part, *steps, chemistry) for part in parts]


def _left_out(
    settings: CompareSettings, replicas: list[tuple[Trajectory, Chemistry]], fold: int
) -> Fold:
    out = replicas[fold :: settings.folds]
    training = [t for k, (t, _) in enumerate(replicas) if k % settings.folds != fold]
    seen = set[int]().union(*(_elements(t) for t in training))
    tests = []
    for trajectory, chemistry in out:
        if not _elements(trajectory) <= seen:
            continue
        snapshots = trajectory.load()
        same = snapshots.complex.fingerprint()
        others = [t.load() for t in training]
        own = [torch.as_tensor(o.ligand) for o in others if o.complex.fingerprint() == same]
        part = range(settings.known, len(trajectory))
        steps = settings.ahead, settings.every
        tests.append(Stretch(snapshots, part, *steps, chemistry, tuple(own)))
    return Fold(f"without-{fold}", training, 1.0, tests)


def _elements(trajectory: Trajectory) -> set[int]:
    """Atomic numbers of what a model sees of a ligand."""
    complex = trajectory.load().complex
    return set(complex.ligand_atomic_numbers[complex.sites].tolist())
