"""How right: a bundled NeuralMD-ODE and the trivial forecasts on the last 20 % of a trajectory.

    python validation/accuracy.py                       # writes validation/results/accuracy-*.json
    python validation/accuracy.py --models a.safetensors b.safetensors --json out.json

Two protocols, neither of which reads a snapshot later than the one it forecasts from:

* `single`: one forecast of the whole test part from the last training snapshot (the paper's
  single-trajectory protocol);
* `rolling`: forecasts of 20 snapshots from every fourth snapshot of the test part on, with all
  earlier snapshots of the same replica known.

Trivial forecasts are fitted on the training part alone.  Seeds are models trained from other
initial weights; the spread over them and the interval over origins are different things, and both
are reported.
"""

from __future__ import annotations

import argparse
import copy
import json
from pathlib import Path

import numpy as np
import torch

from openmm_neuralmd.analysis.evaluation import (
    Forecast,
    Scores,
    average,
    differences,
    score,
    summary,
)
from openmm_neuralmd.analysis.statistics import autocorrelation, consecutive_clusters
from openmm_neuralmd.dynamics import TRIVIAL, rollout
from openmm_neuralmd.examples import example
from openmm_neuralmd.files import complete
from openmm_neuralmd.progress import progress_bar
from openmm_neuralmd.provenance import provenance
from openmm_neuralmd.training import Model, load_model
from openmm_neuralmd.trajectories import Snapshots

HERE = Path(__file__).parent
ABLATION = "neuralmd-ode-without-network"
METRICS = ("mae", "rmse", "matching", "stability")
HORIZON, STRIDE = 20, 4
CLUSTER = 2
"""Origins drawn together: 8 snapshots, over which the data's autocorrelation falls to a third."""


def trivial_forecasts(snapshots: Snapshots, training: int, horizon: int) -> dict[str, Forecast]:
    """The trivial methods, fitted on the first `training` snapshots."""
    segments = [
        torch.as_tensor(snapshots.ligand[part.start : min(part.stop, training)])
        for part in snapshots.segments
        if part.start < training
    ]
    bonds = torch.as_tensor(snapshots.complex.site_bonds)

    def forecast(name: str) -> Forecast:
        method = TRIVIAL[name].fit(segments, bonds=bonds, horizon=horizon)
        return lambda known, n: method.forecast(torch.as_tensor(known), n).numpy()

    return {name: forecast(name) for name in TRIVIAL}


def learned_forecast(model: Model, snapshots: Snapshots) -> Forecast:
    """The model in the rigid protein of the first snapshot."""
    model.check(snapshots.complex, snapshots.interval_ps)
    return lambda known, n: rollout(model, snapshots.complex, known, n)


def without_network(model: Model) -> Model:
    """The same dynamics with F = 0: what friction, memory and projection do alone.

    An ablation, so that nobody has to believe that the network is what forecasts.
    """
    dynamics = copy.deepcopy(model.dynamics)
    for parameter in dynamics.network.head.parameters():
        parameter.data.zero_()
    return Model(dynamics, model.card)


def origins(snapshots: Snapshots, training: int) -> dict[str, list[tuple[range, range]]]:
    """Known and future snapshots of both protocols, inside the replica that the test part is in."""
    replica = next(part for part in snapshots.segments if training in part)
    end = replica.stop
    return {
        "single": [(range(replica.start, training), range(training, end))],
        "rolling": [
            (range(replica.start, t), range(t, t + HORIZON))
            for t in range(training, end - HORIZON + 1, STRIDE)
        ],
    }


def evaluate(models: list[Model], snapshots: Snapshots, training: int) -> dict[str, object]:
    """Both protocols: `{protocol: {...}}` as it is written to the result file."""
    protocols: dict[str, object] = {}
    bonds = snapshots.complex.site_bonds
    kind = models[0].card.kind
    for name, splits in origins(snapshots, training).items():
        horizon = len(splits[0][1])
        baselines = trivial_forecasts(snapshots, training, horizon)
        total = len(splits) * (len(baselines) + 2 * len(models))
        with progress_bar(f"{name} ({len(splits)} origins)", total, "forecast") as advance:
            trivial = score(baselines, snapshots.ligand, splits, bonds, advance)
            runs: list[Scores] = []
            for model in models:
                learned = {
                    kind: learned_forecast(model, snapshots),
                    ABLATION: learned_forecast(without_network(model), snapshots),
                }
                runs.append(score(learned, snapshots.ligand, splits, bonds, advance))
        scores = trivial | average(runs, kind) | average(runs, ABLATION)
        # Forecasts of 20 from every 4th snapshot overlap: neighbours are drawn together.
        clusters = consecutive_clusters([len(splits)], CLUSTER)
        means = [{key: np.mean([row[key] for row in run[kind]]) for key in METRICS} for run in runs]
        protocols[name] = {
            "origins": [known.stop - 1 for known, _ in splits],
            "horizon": horizon,
            "methods": summary(scores, clusters),
            "seed_spread": {key: float(np.std([m[key] for m in means], ddof=1)) for key in METRICS}
            if len(models) > 1
            else {},
            "differences": differences(scores, kind, METRICS, clusters),
        }
    return protocols


def main() -> None:
    """Evaluate and write the result file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--example", default="gpcr-ergotamine")
    parser.add_argument("--models", nargs="*", help="model files; default: the bundled seeds")
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    snapshots = example(arguments.example)
    names = arguments.models or [
        arguments.example,
        *sorted((HERE / "models").glob(f"{arguments.example}-seed*.safetensors")),
    ]
    models = [load_model(name) for name in names]
    training = models[0].card.data[0]["training_snapshots"][1]
    result = {
        "what": "NeuralMD-ODE and trivial forecasts, single-trajectory protocol",
        "example": arguments.example,
        "snapshots": len(snapshots),
        "training_snapshots": training,
        "interval_ps": snapshots.interval_ps,
        "breaks": list(snapshots.breaks),
        "lag_autocorrelation": {
            str(lag): autocorrelation(snapshots.ligand, lag, snapshots.segments)
            for lag in (1, 2, 5, 10)
        },
        "models": [
            {"sha256": m.sha256, "seed": m.card.training["seed"], "metrics": m.card.metrics}
            for m in models
        ],
        "protocols": evaluate(models, snapshots, training),
        "provenance": provenance(),
    }
    target = arguments.json or HERE / "results" / f"accuracy-{arguments.example}.json"
    with complete(target) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
