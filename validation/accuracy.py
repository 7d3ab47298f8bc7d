"""Every dynamics and every naive baseline on a set of trajectories, in one table.

    python validation/accuracy.py validation/accuracy/fine.yaml [--only neuralmd-sde] [--seeds 0]

Trains every model of the settings file for every seed and fold, then asks them, from every origin
of the test parts:

* what comes next (MAE, RMSE, Matching, Stability, validity of bonds and angles), and
* how the ligand will be distributed until the end of the stretch (RMSF, torsions, pair distances,
  autocorrelation time, PoseBusters), of those that draw noise.

Nothing reads a snapshot later than the one it forecasts from.  Naive baselines are fitted anew
at every origin, on all that is known there and on what else the fold may learn from of the same
complex.  'F = 0' is a trained dynamics with its network's force switched off: an ablation, so that
nobody has to believe that the network is what forecasts.  Intervals: bootstrap over stretches of
trajectories (clusters), after the seeds' mean; differences are paired.

Interrupted, it goes on where it was: trained models and the scores of tests stay in runs/accuracy/.
Remove that folder after a change of the code that trains or tests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from folds import CompareSettings, Fold, divided
from kept import Part, kept
from openmm_neuralmd.analysis.statistics import autocorrelation
from openmm_neuralmd.analysis.summaries import Scores, average, differences, summary
from openmm_neuralmd.assessment.contestants import ABLATED, without_network
from openmm_neuralmd.assessment.stretch import assess
from openmm_neuralmd.model import Model
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.settings import TrainingSettings
from openmm_neuralmd.utils.progress import progress_bar
from openmm_neuralmd.utils.settings import read_mapping, validated
from result_files import save

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "accuracy"
ERRORS = ("mae", "rmse", "matching", "stability", "bond_angle_validity")
TESTING = {"protocol", "train_share", "stretches", "folds", "known", "ahead", "every"}
"""Settings that decide a test of a given model."""
Tests = list[tuple[Scores, Scores]]
"""Errors and ensembles for each test of a fold."""


def trained(settings: CompareSettings, name: str, label: str, fold: Fold, seed: int) -> Model:
    """The model of a fold and seed, trained now or found in runs/accuracy/."""
    content = {
        **settings.common,
        **settings.models[label],
        "name": f"{name}-{label}",
        "data": [part.model_dump() for part in settings.trajectories],
        "dynamics": settings.models[label].get("dynamics", label),
        "train_fraction": fold.train_fraction,
        "seed": seed,
    }
    training = validated(TrainingSettings, content, f"{name}: {label}")
    trainer = Trainer(training, fold.training, RUNS / name / fold.name / f"{label}-{seed}")
    done = trainer.counters.update
    with progress_bar(f"{label}, seed {seed}, {fold.name}", trainer.total, "updates", done) as tell:
        return trainer.run(tell)


def contestants(settings: CompareSettings, label: str, model: Model) -> Iterator[tuple[str, Model]]:
    """A trained model and its ablation, with the names they have in the tables."""
    yield label, model
    if label in settings.ablated:
        yield label + ABLATED, without_network(model)


class Collected:
    """Scores of all tests, one after the other, and the cluster of each row."""

    def __init__(self) -> None:
        self.errors: Scores = {}
        self.ensembles: Scores = {}
        self.clusters: list[int] = []

    def add(self, tests: Tests, first: int) -> None:
        """The rows of a fold's tests, which are clusters from `first` on."""
        for cluster, (errors, ensembles) in enumerate(tests, first):
            for into, new in ((self.errors, errors), (self.ensembles, ensembles)):
                for name, rows in new.items():
                    into.setdefault(name, []).extend(rows)
            self.clusters += [cluster] * len(next(iter(errors.values())))


class Testing:
    """The tests of one comparison, which are made once: their scores stay with the models."""

    def __init__(self, settings: CompareSettings, name: str) -> None:
        self.folder = RUNS / name
        testing = settings.model_dump(mode="json", include=TESTING)
        self.data = [dict(t.identity) for t in read_trajectories(settings.trajectories)]
        self.decisive = {**testing, "data": self.data}

    def naive(self, fold: Fold) -> Tests:
        """Scores of the naive baselines on a fold."""
        path = self.folder / fold.name / "naive.npz"
        return self._tests(f"naive baselines, {fold.name}", path, fold)

    def learned(self, fold: Fold, label: str, model: Model, seed: int) -> Tests:
        """Scores of a model, or of its ablation, under the label it has in the settings."""
        path = self.folder / fold.name / f"tests of {label}, seed {seed}.npz"
        return self._tests(f"testing {label}, seed {seed}", path, fold, model, label)

    def _tests(
        self,
        title: str,
        path: Path,
        fold: Fold,
        model: Model | None = None,
        label: str | None = None,
    ) -> Tests:
        def make() -> Part:
            tests: Tests = []
            with progress_bar(title, len(fold.tests), "stretches") as tell:
                for test in fold.tests:
                    tests.append(assess(test, model, name=label))
                    tell(1, "")
            return {"scores": np.array(json.dumps(tests))}

        part = kept(path, {**self.decisive, "model": model and model.sha256, "label": label}, make)
        return [(errors, ensembles) for errors, ensembles in json.loads(str(part["scores"]))]


def evaluate(settings: CompareSettings, name: str, labels: list[str]) -> dict[str, Any]:
    """Train and test everything."""
    every = divided(settings)
    testing = Testing(settings, name)
    naive = Collected()
    learned: dict[str, list[Collected]] = {}
    cluster = 0
    for fold in every:
        naive.add(testing.naive(fold), cluster)
        for label in labels:
            for number, seed in enumerate(settings.seeds):
                model = trained(settings, name, label, fold, seed)
                for own, contestant in contestants(settings, label, model):
                    runs = learned.setdefault(own, [Collected() for _ in settings.seeds])
                    runs[number].add(testing.learned(fold, own, contestant, seed), cluster)
        cluster += len(fold.tests)
    errors, ensembles = dict(naive.errors), dict(naive.ensembles)
    spread: dict[str, dict[str, float]] = {}
    for runs in learned.values():
        for method in runs[0].errors:
            errors |= average([run.errors for run in runs], method)
            spread[method] = _spread([run.errors[method] for run in runs])
        for method in runs[0].ensembles:
            ensembles |= average([run.ensembles for run in runs], method)
    clusters = np.array(naive.clusters)
    stretches = np.arange(cluster)
    return {
        "data": testing.data,
        "clusters": cluster,
        "origins": len(clusters),
        "autocorrelation": _memory(every),
        "errors": summary(errors, clusters),
        "seed_spread": spread,
        "differences": {label: differences(errors, label, ERRORS, clusters) for label in learned},
        "ensembles": summary(ensembles, stretches),
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
    content = read_mapping(arguments.settings, "validation/accuracy/")
    if arguments.seeds:
        content["seeds"] = arguments.seeds
    settings = validated(CompareSettings, content, str(arguments.settings))
    labels = [k for k in settings.models if arguments.only is None or k in arguments.only]
    name = arguments.settings.stem
    result = {
        "what": settings.about,
        "settings": settings.model_dump(mode="json", exclude={"data"}),
        **evaluate(settings, name, labels),
    }
    save(f"accuracy-{name}", result, arguments.json)


if __name__ == "__main__":
    main()
