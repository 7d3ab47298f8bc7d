"""Every other learned dynamics on the one-structure protocol: one known pose, unseen targets.

    python validation/one_structure/rivals.py --many validation/reference_sets/many

NeuralMD-ODE, NeuralMD-SDE, VerletMD, GNN-MD, DenoisingLD and CG-MD learn from the same complexes
as NeuralMD-OU (train targets of set 'many'), by the multi-trajectory protocol of the paper: a data
point is a trajectory from its first snapshot on.  Snapshots of the run serve as given poses too.
Known is one pose, entered twice: without a second snapshot the velocity is zero.  Each then
forecasts 1 ns of every complex of set 'pocket' from its prepared pose.

The paper's four metrics compare snapshot by snapshot; a dynamics with noise is judged by the mean
of its futures there, as NeuralMD-OU is by its expected positions.  The ensemble (the second half of
the forecast, eight futures where there is noise) is compared with the second half of the run.
Trained models stay in runs/one_structure/rivals: interrupted, the command goes on.  With
--pocket-cutoff 6 each network has the fourth grain, heavy atoms of the pocket, and the result file
another name.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from columns import Forecast, bootstrap, columns
from models import fit
from summary import Table, machine, mean_over_seeds
from table import HERE, POCKET, Array, of_model, train_part, truth

from openmm_neuralmd.analysis.metrics import metrics_table
from openmm_neuralmd.assessment.contestants import has_ablation, without_network
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.model import Model
from openmm_neuralmd.prediction.pose import posed, read_protein
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.ou_fit import OUFitSettings
from openmm_neuralmd.training.run_statistics import RunStatistics, read_trajectory
from openmm_neuralmd.training.settings import TrainingSettings
from openmm_neuralmd.training.windows import Trajectory
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.progress import progress_bar

INTERVAL = 10.0
"""ps between snapshots."""
HORIZON = 12
"""Snapshots of a training window."""
POSES = 4
"""Given poses of each run in training; the prepared one is the first."""
AHEAD = 100
"""Snapshots to forecast."""
FUTURES = 8
LOST = 1000.0
"""Å from its start at which an atom counts as lost; it stays there."""
OU = "neuralmd-ou"
PAPER = ("mae", "rmse", "matching", "stability")
"""The paper's four metrics."""
KEPT = ("energy_score", "nll", "log_rmsf_error", "rmsf", "rmsf_true", "u_cosine", "torsions_bits")
NETWORK = {"hidden": 32, "vector_channels": 8, "ligand_layers": 1, "num_radial": 16}
SPECIAL: dict[str, dict[str, Any]] = {
    "neuralmd-sde": {"coefficient_rate": 40.0},
    "neuralmd-ode": {"coefficient_rate": 100.0},
}


@dataclass
class Answer:
    """Forecast of a method: expected snapshots (S, n, 3) in Å, its ensemble, and the share lost.

    `lost` is the share of snapshots after an atom was farther than `LOST` from its start.
    """

    expected: Array
    ensemble: Forecast
    lost: float = 0.0


def main() -> None:
    """Train what is not trained yet, and make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="+", default=list(LEARNED))
    parser.add_argument("--pocket-cutoff", type=float, help="Å: with the fourth grain")
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    parser.add_argument("--output", type=Path, help="another result file than the usual one")
    a = parser.parse_args()
    torch.set_num_threads(1)
    many = train_part(a.many)
    data = [trajectory(c, packed_complex(c, a.many)) for c in many]
    pocket = [read_trajectory(folder) for folder in sorted(POCKET.iterdir()) if folder.is_dir()]
    seeds: list[Table] = []
    network, mark = dict(NETWORK), ""
    if a.pocket_cutoff is not None:
        network, mark = network | {"pocket_cutoff": a.pocket_cutoff}, "-four-grains"
    for seed in a.seeds:
        models = {
            name: trained(name, network, data, seed, a.epochs, a.cache / f"rivals{mark}")
            for name in a.only
        }
        how = OUFitSettings(epochs=40, frames=20, start_share=0.25, seed=seed)
        ou = fit(many, NeuralOUSettings(members=5), how, a.cache, "network")
        seeds.append({})
        for c in pocket:
            for row, answer in answers(c, models, ou, seed).items():
                seeds[-1].setdefault(row, {})[c.name] = judged(c, answer, ou)
            print(seed, c.name, flush=True)
    averaged = mean_over_seeds(seeds)
    result = {
        "rows": {row: medians(list(one.values())) for row, one in averaged.items()},
        "row_minus_ou": {row: paired(one, averaged[OU]) for row, one in averaged.items()},
        "complexes": averaged,
        "train": [c.name for c in many],
        "settings": {"seeds": a.seeds, "epochs": a.epochs, "network": network},
        "machine": machine(),
    }
    output = a.output or HERE / "results" / f"rivals{mark}.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row, values in result["rows"].items():
        print(row.ljust(24), {k: round(v, 3) for k, v in values.items()})


def packed_complex(c: RunStatistics, folder: Path) -> Complex:
    """A complex of set 'many' at its given pose."""
    return complex_of(c.name, folder / f"{c.name}.pdb.gz", folder / f"{c.name}.sdf")


def complex_of(name: str, protein: Path, sdf: Path) -> Complex:
    """The complex at the given pose."""
    return posed(read_protein(protein), read_ligand(sdf), name)


def trajectory(c: RunStatistics, complex: Complex) -> Trajectory:
    """Windows from one pose as replicas: the pose twice, then what came after it."""
    step = round(INTERVAL / c.interval_ps)
    replicas = []
    for run in c.runs:
        later = run[step * np.arange(1, HORIZON + 1)]
        replicas.append(np.concatenate([c.start[None], c.start[None], later]))
        for first in np.linspace(0, len(run) - 1 - step * HORIZON, POSES - 1).astype(int):
            rows = first + step * np.arange(HORIZON + 1)
            replicas.append(run[[rows[0], *rows]])
    length = HORIZON + 2
    breaks = tuple(length * np.arange(1, len(replicas)))
    ligand = np.concatenate(replicas)
    snapshots = Snapshots(complex, ligand, INTERVAL, tuple(int(b) for b in breaks))
    return Trajectory.of(snapshots, {"name": c.name, "complex": complex.fingerprint()})


def trained(
    name: str,
    network: dict[str, Any],
    data: Sequence[Trajectory],
    seed: int,
    epochs: int,
    cache: Path,
) -> Model:
    """A dynamics trained on all but every eighth complex, which early stopping looks at."""
    held_out = list(data[::8])
    names = [t.identity["name"] for t in data]
    settings = TrainingSettings.model_validate(
        {
            "name": f"{name}-one-structure",
            "data": [{"topology": f"{n}.pdb.gz", "trajectory": f"{n}.npz"} for n in names],
            "validation_data": [
                {"topology": f"{t.name}.pdb.gz", "trajectory": f"{t.name}.npz"} for t in held_out
            ],
            "dynamics": name,
            "model": {"network": network},
            "train_fraction": 1.0,
            "horizon": HORIZON,
            "validation_horizon": HORIZON,
            "history": 2,
            "epochs": epochs,
            "patience": epochs,
            "seed": seed,
            **SPECIAL.get(name, {}),
        }
    )
    learned = [t for t in data if t not in held_out]
    folder = cache / f"{name}-{len(data)}-{epochs}-{seed}"
    trainer = Trainer(settings, learned, folder, held_out)
    done = trainer.counters.update
    with progress_bar(f"{name}, seed {seed}", trainer.total, "updates", done) as tell:
        return trainer.run(tell)


def answers(
    c: RunStatistics, models: dict[str, Model], ou: NeuralOU, seed: int
) -> dict[str, Answer]:
    """Every row for one complex."""
    folder = POCKET / c.name
    complex = complex_of(c.name, folder / "start.pdb.gz", folder / "ligand.sdf")
    still = np.repeat(c.start[None], AHEAD, axis=0)
    centre = c.start.reshape(-1)
    rows = {"persistence": Answer(still, Forecast(centre, draws=np.stack([centre, centre])))}
    for name, model in models.items():
        rows[name] = learned(model, complex, c.start, seed)
        if has_ablation(model):
            rows[f"{name}, F = 0"] = learned(without_network(model), complex, c.start, seed)
    window = 0.5 * c.interval_ps * len(c.runs[0])
    prediction = predict_pose(ou, c.chemistry, c.start, c.pocket)
    expected = prediction.process.forecast(INTERVAL * np.arange(1, AHEAD + 1))
    rows[OU] = Answer(expected, of_model(ou, c, 1.0, window, seed))
    return rows


def learned(model: Model, complex: Complex, start: Array, seed: int) -> Answer:
    """Forecast of a learned dynamics from one pose."""
    known = np.stack([start, start])
    count = FUTURES if model.dynamics.stochastic else 1
    futures = rollout(model, complex, known, AHEAD, replicas=count, seed=seed)
    lost = ~(np.abs(futures - start).max(axis=(2, 3)) < LOST)  # not finite counts as well
    gone = np.logical_or.accumulate(lost, axis=1)[..., None, None]
    futures = np.where(gone, start + LOST, futures)
    late = futures[:, AHEAD // 2 :]
    flat = late.reshape(-1, 3 * len(start))
    rmsf = np.sqrt(late.var(axis=1).sum(-1).mean(axis=0))
    # A dynamics that stands still has no spread: a thousandth of an Ångström keeps it defined.
    covariance = np.cov(flat.T, bias=True) + 1e-6 * np.eye(flat.shape[1])
    shrunk = 0.95 * covariance + 0.05 * np.eye(len(covariance)) * covariance.trace() / len(
        covariance
    )
    ensemble = Forecast(
        flat.mean(axis=0),
        np.linalg.inv(shrunk),
        rmsf=np.maximum(rmsf, 1e-3),
        draws=flat,
        valid=late.reshape(-1, *start.shape),
    )
    return Answer(futures.mean(axis=0), ensemble, float(gone.mean()))


def judged(c: RunStatistics, answer: Answer, ou: NeuralOU) -> dict[str, float]:
    """The paper's four metrics, and the ensemble's columns."""
    step = round(INTERVAL / c.interval_ps)
    real = c.runs[0][step * np.arange(1, AHEAD + 1)]
    table = metrics_table(real, answer.expected)
    ensemble = columns(answer.ensemble, truth(c, ou))
    shown = {k: ensemble[k] for k in KEPT if k in ensemble}
    return {**{key: table[key] for key in PAPER}, **shown, "lost": answer.lost}


def medians(complexes: Sequence[dict[str, float]]) -> dict[str, float]:
    """Median over complexes of each column."""
    return {key: float(np.median([one[key] for one in complexes])) for key in complexes[0]}


def paired(
    row: dict[str, dict[str, float]], ours: dict[str, dict[str, float]]
) -> dict[str, list[float]]:
    """Mean difference from NeuralMD-OU over complexes with its 95 % interval."""
    shared = [key for key in next(iter(row.values())) if key in next(iter(ours.values()))]
    return {
        key: bootstrap(np.array([row[name][key] - ours[name][key] for name in row]))
        for key in shared
    }


if __name__ == "__main__":
    main()
