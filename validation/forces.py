"""Energy models against the all-atom forces that they were not trained on.

    python validation/forces.py validation/forces/tyk2.yaml [--seeds 0 42 123]

Trains the model of the settings file for every seed (interrupted, it goes on where it was; models
stay in runs/forces/), and compares its forces and energies at the held-out snapshots, the last
fifth, with the labels, beside forces without a network (`training.force_baselines`), which are
fitted to all snapshots before those, without the perturbed geometries: that suits them best.
Intervals: bootstrap over blocks of successive snapshots, after the seeds' mean; differences are
paired.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from force_baselines import force_baselines
from intervals import memory_clusters, paired_difference
from openmm_neuralmd.analysis.statistics import bootstrap_mean
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.model import Model
from openmm_neuralmd.training.energy import LabelParts, force_errors, predicted, read_parts
from openmm_neuralmd.training.force_matching import (
    ForceMatcher,
    ForceMatchingSettings,
    read_energy_settings,
)
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save

HERE = Path(__file__).parent
RUNS = HERE.parent / "runs" / "forces"
LEARNED = "learned"
Errors = dict[str, np.ndarray]


def trained(settings: ForceMatchingSettings, parts: LabelParts, folder: Path) -> Model:
    """The model of a seed, trained now or found in its folder."""
    trainer = ForceMatcher(settings, [parts.training], [parts.validation], folder)
    done = trainer.counters.update
    title = f"{settings.name}, seed {settings.seed}"
    with progress_bar(title, trainer.total, "updates", done) as advance:
        return trainer.run(advance)


def summary(errors: Errors, clusters: np.ndarray) -> dict[str, list[float]]:
    """Means with their intervals; the RMSE is the root of the mean square and of its ends."""
    means = {name: list(bootstrap_mean(row, clusters=clusters)) for name, row in errors.items()}
    means["rmse"] = np.sqrt(means.pop("square")).tolist()
    return means


def measure(files: list[ForceMatchingSettings]) -> dict[str, Any]:
    """Train every seed and compare everything at the same snapshots."""
    runs: list[Errors] = []
    models = []
    for settings in files:
        (parts,) = read_parts(settings)
        test = parts.test
        model = trained(settings, parts, RUNS / settings.name / f"seed-{settings.seed}")
        runs.append(force_errors(test.forces, test.energies, *predicted(model, test)))
        metrics = {"seed": settings.seed, "sha256": model.sha256, **model.card.metrics}
        models.append({**metrics, "mae": float(runs[-1]["mae"].mean())})
        if len(runs) == 1:
            naive = {
                name: force_errors(test.forces, test.energies, *forces)
                for name, forces in force_baselines(parts.known, test).items()
            }
    learned = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}
    clusters = memory_clusters([learned["mae"]])
    return {
        "complex": test.identity,
        "geometries": {
            "training": len(parts.training),
            "validation": len(parts.validation),
            "test": len(test),
        },
        "atoms": test.x.shape[1],
        "interval_ps": test.interval_ps,
        "block": int(np.bincount(clusters)[0]),
        "spread": {"force": float(test.forces.std()), "energy": float(test.energies.std())},
        "models": models,
        "errors": {
            name: summary(row, clusters) for name, row in {LEARNED: learned, **naive}.items()
        },
        "differences": {
            name: list(paired_difference(learned["mae"], row["mae"], clusters=clusters))
            for name, row in naive.items()
        },
    }


def report(result: dict[str, Any]) -> None:
    """The numbers in words."""
    spread = result["spread"]
    print(
        f"{result['geometries']['test']} held-out geometries; spread of the labels: "
        f"{spread['force']:.1f} kJ/mol/nm, {spread['energy']:.2f} kJ/mol"
    )
    for name, row in result["errors"].items():
        print(
            f"{name:28s} MAE {row['mae'][0]:8.2f} kJ/mol/nm  cosine {row['cosine'][0]:.3f}  "
            f"energy {row['energy'][0]:.2f} kJ/mol"
        )


def main() -> None:
    """Train, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("settings", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", help="default: that of the file")
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [{"seed": seed} for seed in arguments.seeds] if arguments.seeds else [{}]
    settings = [read_energy_settings(arguments.settings, seed) for seed in seeds]
    if len(settings[0].labels) > 1:
        raise InputError(
            f"{arguments.settings}: labels of one complex are compared, not of several"
        )
    result = {
        "what": "forces and energies of an energy model at held-out snapshots",
        "name": settings[0].name,
        "settings": settings[0].model_dump(mode="json", exclude={"labels", "seed"}),
        **measure(settings),
    }
    save(f"forces-{arguments.settings.stem}", result, arguments.json)
    report(result)


if __name__ == "__main__":
    main()
