"""Every dynamics and every trivial forecast on a set of trajectories, in one table.

    python validation/compare.py validation/compare/fine.yaml [--only neuralmd-sde ar1] [--seeds 0]

Trains every model of the settings file for every seed and fold (interrupted, it goes on where it
was; trained models stay in runs/compare/), then asks them, from every origin of the test parts:

* what comes next (MAE, RMSE, Matching, Stability, validity of bonds and angles), and
* how the ligand will be distributed until the end of the stretch (RMSF, torsions, pair distances,
  autocorrelation time, PoseBusters), of those that draw noise.

Nothing reads a snapshot later than the one it forecasts from.  Trivial forecasts are fitted anew
at every origin, on all that is known there and on what else the fold may learn from of the same
complex.  Intervals: bootstrap over stretches of trajectories
(clusters), after the seeds' mean; differences are paired.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from openmm_neuralmd.analysis.evaluation import Chemistry, Scores, average, differences, summary
from openmm_neuralmd.analysis.statistics import autocorrelation
from openmm_neuralmd.assessment import Stretch, assess, find_chemistry
from openmm_neuralmd.files import complete
from openmm_neuralmd.progress import progress_bar
from openmm_neuralmd.provenance import provenance
from openmm_neuralmd.settings_files import read_mapping, validated
from openmm_neuralmd.training import Model, Trainer, TrainingSettings, Trajectory
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.settings import DataSettings

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "compare"
ERRORS = ("mae", "rmse", "matching", "stability", "bond_angle_validity")


class CompareSettings(BaseModel):
    """A comparison.

    Attributes
    ----------
    about : str
    data : tuple of DataSettings
    protocol : {'time', 'left-out'}
        'time': learn the first `train_share` of every replica, test on the rest, in `stretches`
        parts.  'left-out': learn on other replicas (of other complexes, where the data are of
        several), test on all of those left out; `folds` of them.
    known : int
        Snapshots of its replica that the first origin knows, at least.
    ahead, every : int
        Snapshots to forecast, and from one origin to the next.
    models : dict
        Training settings by the name of the dynamics, or by a label of their own with the name in
        'dynamics'; 'common' is merged into all.
    seeds : tuple of int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    about: str
    data: tuple[DataSettings, ...]
    protocol: Literal["time", "left-out"]
    train_share: float = Field(0.4, gt=0, lt=1)
    stretches: int = Field(3, ge=1)
    folds: int = Field(3, ge=2)
    known: int = Field(30, ge=2)
    ahead: int = Field(20, ge=1)
    every: int = Field(4, ge=1)
    common: dict[str, Any] = {}
    models: dict[str, dict[str, Any]]
    seeds: tuple[int, ...] = (0, 42, 123)


@dataclass(frozen=True)
class Fold:
    """What is learned from, and what is tested on."""

    name: str
    training: list[Trajectory]
    train_fraction: float
    tests: list[Stretch]


def folds(settings: CompareSettings) -> list[Fold]:
    """The folds of a comparison, a replica being what is divided or left out."""
    replicas: list[tuple[Trajectory, Chemistry | None]] = []
    for part in settings.data:
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


def _rest(
    settings: CompareSettings, trajectory: Trajectory, chemistry: Chemistry | None
) -> list[Stretch]:
    first = max(round(len(trajectory) * settings.train_share), settings.known)
    edges = np.linspace(first, len(trajectory), settings.stretches + 1).round().astype(int)
    parts = [range(a, b) for a, b in pairwise(edges)]
    steps = settings.ahead, settings.every
    return [Stretch(trajectory.load(), part, *steps, chemistry) for part in parts]


def _left_out(
    settings: CompareSettings, replicas: list[tuple[Trajectory, Chemistry | None]], fold: int
) -> Fold:
    out = replicas[fold :: settings.folds]
    kept = [t for k, (t, _) in enumerate(replicas) if k % settings.folds != fold]
    tests = []
    for trajectory, chemistry in out:
        snapshots = trajectory.load()
        same = snapshots.complex.fingerprint()
        others = [t.load() for t in kept]
        own = [torch.as_tensor(o.ligand) for o in others if o.complex.fingerprint() == same]
        part = range(settings.known, len(trajectory))
        steps = settings.ahead, settings.every
        tests.append(Stretch(snapshots, part, *steps, chemistry, tuple(own)))
    return Fold(f"without-{fold}", kept, 1.0, tests)


def trained(settings: CompareSettings, name: str, label: str, fold: Fold, seed: int) -> Model:
    """The model of a fold and seed, trained now or found in runs/compare/."""
    content = {
        **settings.common,
        **settings.models[label],
        "name": f"{name}-{label}",
        "data": [part.model_dump() for part in settings.data],
        "dynamics": settings.models[label].get("dynamics", label),
        "train_fraction": fold.train_fraction,
        "seed": seed,
    }
    training = validated(TrainingSettings, content, f"{name}: {label}")
    trainer = Trainer(training, fold.training, RUNS / name / fold.name / f"{label}-{seed}")
    done = trainer.counters.update
    with progress_bar(f"{label}, seed {seed}, {fold.name}", trainer.total, "updates", done) as tell:
        return trainer.run(tell)


class Collected:
    """Scores of all tests, one after the other, and the cluster of each row."""

    def __init__(self) -> None:
        self.errors: Scores = {}
        self.ensembles: Scores = {}
        self.clusters: list[int] = []

    def add(self, errors: Scores, ensembles: Scores, cluster: int | None) -> None:
        """The rows of one test; the cluster once for all methods."""
        for into, new in ((self.errors, errors), (self.ensembles, ensembles)):
            for name, rows in new.items():
                into.setdefault(name, []).extend(rows)
        if cluster is not None:
            self.clusters += [cluster] * len(next(iter(errors.values())))


def evaluate(settings: CompareSettings, name: str, labels: list[str]) -> dict[str, Any]:
    """Train and test everything."""
    every = folds(settings)
    trivial = Collected()
    learned = {label: [Collected() for _ in settings.seeds] for label in labels}
    cluster = 0
    for fold in every:
        with progress_bar(f"trivial forecasts, {fold.name}", len(fold.tests), "stretches") as tell:
            for test in fold.tests:
                trivial.add(*assess(test), cluster)
                cluster += 1
                tell(1, "")
        for label in labels:
            for collected, seed in zip(learned[label], settings.seeds, strict=True):
                model = trained(settings, name, label, fold, seed)
                what = f"testing {label}, seed {seed}"
                with progress_bar(what, len(fold.tests), "stretches") as tell:
                    for test in fold.tests:
                        errors, ensembles = assess(test, model)
                        own = model.card.kind, label
                        collected.add(_called(errors, *own), _called(ensembles, *own), None)
                        tell(1, "")
    errors, ensembles = dict(trivial.errors), dict(trivial.ensembles)
    spread: dict[str, dict[str, float]] = {}
    for runs in learned.values():
        for method in runs[0].errors:
            errors |= average([run.errors for run in runs], method)
            spread[method] = _spread([run.errors[method] for run in runs])
        for method in runs[0].ensembles:
            ensembles |= average([run.ensembles for run in runs], method)
    clusters = np.array(trivial.clusters)
    stretches = np.arange(cluster)
    return {
        "clusters": cluster,
        "origins": len(clusters),
        "autocorrelation": _memory(every),
        "errors": summary(errors, clusters),
        "seed_spread": spread,
        "differences": {label: differences(errors, label, ERRORS, clusters) for label in labels},
        "ensembles": summary(ensembles, stretches),
    }


def _called(scores: Scores, kind: str, label: str) -> Scores:
    """The rows of a dynamics under the label it has in the settings."""
    return {
        label + name.removeprefix(kind) if name.startswith(kind) else name: rows
        for name, rows in scores.items()
    }


def _spread(runs: list[list[dict[str, float]]]) -> dict[str, float]:
    """Standard deviation over seeds of the mean over origins."""
    if len(runs) < 2:
        return {}
    means = {key: [np.mean([row[key] for row in rows]) for rows in runs] for key in ERRORS}
    return {key: float(np.std(values, ddof=1)) for key, values in means.items()}


def _memory(every: list[Fold]) -> dict[str, list[float]]:
    """Autocorrelation of every tested replica at a few lags, in snapshots."""
    replicas = {id(t.snapshots): t.snapshots for fold in every for t in fold.tests}
    return {
        str(lag): [round(autocorrelation(s.ligand, lag), 3) for s in replicas.values()]
        for lag in (1, 2, 5, 10, 20)
    }


def main() -> None:
    """Compare, and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("settings", type=Path)
    parser.add_argument("--only", nargs="*", help="models to include; default: all")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    content = read_mapping(arguments.settings, "validation/compare/")
    for part in content["data"]:
        for key in ("topology", "trajectory", "sdf"):
            if key in part:
                part[key] = (arguments.settings.parent / part[key]).resolve()
    if arguments.seeds:
        content["seeds"] = arguments.seeds
    settings = validated(CompareSettings, content, str(arguments.settings))
    labels = [k for k in settings.models if arguments.only is None or k in arguments.only]
    name = arguments.settings.stem
    result = {
        "what": settings.about,
        "settings": settings.model_dump(mode="json", exclude={"data"}),
        "data": [dict(t.identity) for t in read_trajectories(settings.data)],
        **evaluate(settings, name, labels),
        "provenance": provenance(),
    }
    target = arguments.json or HERE / "results" / f"compare-{name}.json"
    with complete(target) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
