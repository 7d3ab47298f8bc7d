"""Judge predictions from one structure: every row and column of the one-structure table.

    python validation/one_structure/table.py --protocol leave-out --many FOLDER
    python validation/one_structure/table.py --protocol many --many FOLDER

leave-out: complexes of set 'pocket' are left out, a fold at a time, and predicted by a model of all
other complexes (set 'many' included).  many: one model of the train targets of set 'many' predicts
all of set 'pocket'.  The truth is the second half of each run; the given pose is the prepared
structure.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from columns import LAGS, Forecast, Truth, columns, correlation
from models import (
    fit,
    shuffled_pocket,
    strain_alone,
    without_displacement,
    without_network,
    without_pocket,
)
from numpy.typing import NDArray
from rows import (
    conformers,
    fit_rmsf,
    fit_scale,
    independent,
    rmsf_of,
    second_moment,
    true_rmsf,
)
from summary import (
    STRETCHES,
    Table,
    machine,
    mean_over_seeds,
    paired,
    show,
    spread,
    summary,
    without,
)

from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.rigid_torsion import rotatable_bonds
from openmm_neuralmd.training.ou_fit import OUFitSettings
from openmm_neuralmd.training.run_statistics import (
    RunStatistics,
    read_packed,
    read_trajectory,
)

Array = NDArray[np.float64]
HERE = Path(__file__).parent
POCKET = HERE.parent / "reference_sets" / "pocket"
THIN = 5
"""Every fifth snapshot of the truth is used."""
PERMUTATIONS = 5
"""Of a pocket's chemistry; the row 'shuffled pocket' is the mean of their columns."""


def main() -> None:
    """Make the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--protocol", choices=("leave-out", "many"), default="many")
    parser.add_argument("--many", type=Path, help="folder of set 'many' (ID.npz, ...)")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--start-share", type=float, default=0.25)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    parser.add_argument("--output", type=Path)
    a = parser.parse_args()
    torch.set_num_threads(1)
    pocket = [read_trajectory(folder) for folder in sorted(POCKET.iterdir()) if folder.is_dir()]
    many = train_part(a.many)
    settings = NeuralOUSettings(members=a.members)
    seeds: list[Table] = []
    for seed in a.seeds:
        how = OUFitSettings(epochs=a.epochs, frames=a.frames, start_share=a.start_share, seed=seed)
        folds = [pocket[k :: a.folds] for k in range(a.folds)]
        seeds.append({})
        for fold in folds:
            left_out = {c.target for c in fold}
            others = [o for o in pocket if o.target not in left_out]
            train = (others if a.protocol == "leave-out" else []) + many
            one_fold(fold, train, settings, how, a.cache, seeds[-1])
    result = summary(mean_over_seeds(seeds))
    result["seeds"] = spread(seeds)
    result["without_tyk2"] = paired(without(mean_over_seeds(seeds), "tyk2"))
    result["settings"] = {**vars(a), "fit": how.model_dump(), "model": settings.model_dump()}
    result["train"] = [c.name for c in many]
    result["machine"] = machine()
    output = a.output or HERE / "results" / f"{a.protocol}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")
    show(result)


def one_fold(
    fold: Sequence[RunStatistics],
    train: Sequence[RunStatistics],
    settings: NeuralOUSettings,
    how: OUFitSettings,
    cache: Path,
    table: Table,
) -> None:
    """Fit on the training complexes, and enter the columns of every complex of the fold."""
    model = fit(train, settings, how, cache, "network")
    alone = [without_pocket(o) for o in train]
    ligand = fit(alone, settings, how, cache, "ligand-only")
    for c in fold:
        judge_complex(c, train, model, ligand, how.seed, table)


def judge_complex(
    c: RunStatistics,
    train: Sequence[RunStatistics],
    model: NeuralOU,
    ligand: NeuralOU,
    seed: int,
    table: Table,
) -> None:
    """Enter the columns of every row for one complex."""
    judge = truth(c, model)
    for row, forecast in forecasts(c, train, model, ligand, seed).items():
        every = [columns(one, judge) for one in forecast]
        table.setdefault(row, {})[c.name] = {
            key: float(np.mean([one[key] for one in every])) for key in every[0]
        }
    nll = {row: round(v[c.name].get("nll", np.nan), 3) for row, v in table.items()}
    print(seed, c.name, nll, flush=True)


def train_part(folder: Path | None) -> list[RunStatistics]:
    """Complexes of split 'train' in a folder of set 'many'."""
    if folder is None:
        return []
    entries = json.loads((folder / "manifest.json").read_text())["complexes"]
    return read_packed(folder, {k for k, one in entries.items() if one["split"] == "train"})


def truth(c: RunStatistics, model: NeuralOU) -> Truth:
    """Second half of the run; whitened by the stiffness without the network."""
    late = c.part(0.5, 1.0)
    metric = predict_pose(without_network(model), c.chemistry, c.start, c.pocket).process
    return Truth(
        pose=c.start.reshape(-1),
        frames=late.frames[::THIN].reshape(-1, 3 * len(c.start)),
        quadruples=rotatable_bonds(c.chemistry).quadruples,
        metric=(metric.modes * metric.values) @ metric.modes.T,
        correlation=correlation([run.reshape(len(run), -1) for run in c.runs], c.interval_ps),
        pocket=c.pocket.positions,
    )


def forecasts(
    c: RunStatistics,
    train: Sequence[RunStatistics],
    model: NeuralOU,
    ligand: NeuralOU,
    seed: int,
) -> dict[str, list[Forecast]]:
    """Every row for one complex; columns are the mean over a row's forecasts."""
    window = 0.5 * c.interval_ps * len(c.runs[0])
    out = {name: [one] for name, one in naive(c, train, seed).items()}
    bare = without_network(model)
    # The factor that makes the class constants' Gaussian of the training set's size.
    size = [predict_pose(bare, o.chemistry, o.start, o.pocket).process for o in train]
    squared = [
        ((p.modes * p.values) @ p.modes.T * second_moment(o)).sum() for p, o in zip(size, train)
    ]
    _, _, factor = fit_scale(squared, [len(p.values) for p in size])
    variants = {
        "20-number H (F = 0)": (bare, [c]),
        "u = 0": (without_displacement(model), [c]),
        "u = strain relief": (strain_alone(model), [c]),
        "shuffled pocket": (
            model,
            [shuffled_pocket(c, PERMUTATIONS * seed + k) for k in range(PERMUTATIONS)],
        ),
        "ligand only": (ligand, [without_pocket(c)]),
        "network": (model, [c]),
    }
    for name, (one, seen) in variants.items():
        out[name] = [of_model(one, complex, factor, window, seed) for complex in seen]
    out.update({name: [one] for name, one in molecular_dynamics(c).items()})
    return out


def of_model(
    model: NeuralOU, c: RunStatistics, factor: float, window: float, seed: int
) -> Forecast:
    """Forecast of a NeuralMD-OU."""
    prediction = predict_pose(model, c.chemistry, c.start, c.pocket)
    p = prediction.process
    precision = (p.modes * p.values) @ p.modes.T
    generator = np.random.default_rng(seed)
    draws = p.centre.reshape(-1) + p.draw(np.zeros(1), 300, generator)[:, 0]
    return Forecast(
        centre=p.centre.reshape(-1),
        precision=precision,
        freedom=p.freedom,
        gaussian_scale=factor,
        rmsf=p.rmsf(window),
        draws=draws,
        valid=prediction.snapshots(300, seed, typical=True),
        correlation=p.correlation(LAGS, c.interval_ps * len(c.runs[0])),
    )


def naive(c: RunStatistics, train: Sequence[RunStatistics], seed: int) -> dict[str, Forecast]:
    """Rows without springs."""
    generator = np.random.default_rng(seed)
    still = Forecast(c.start.reshape(-1), draws=np.stack([c.start.reshape(-1)] * 2))
    turned = predicted_turns(c, generator)
    still.valid = turned
    ones = [np.full(len(o.start), np.exp(np.log(true_rmsf(o)).mean())) for o in train]
    typical = float(np.exp(np.mean([np.log(one[0]) for one in ones])))
    flat = (np.full(len(c.start), typical), [np.full(len(o.start), typical) for o in train])
    out = {"persistence": still, "isotropic": independent(c, train, flat, seed)}
    density = fit_rmsf(train, None)
    shapes = (rmsf_of(c, density, False), [rmsf_of(o, density, False) for o in train])
    out["contact density"] = independent(c, train, shapes, seed)
    ridge = fit_rmsf(train, 10.0)
    shapes = (rmsf_of(c, ridge, True), [rmsf_of(o, ridge, True) for o in train])
    out["ridge"] = independent(c, train, shapes, seed)
    free = conformers(c)
    if free is not None:
        out["ETKDG"] = Forecast(free.mean(0).reshape(-1), valid=free)
    return out


def predicted_turns(c: RunStatistics, generator: np.random.Generator) -> Array:
    """The start with every rotatable bond turned by 10° (standard deviation)."""
    from openmm_neuralmd.dynamics.rigid_torsion import displace

    rotatable = rotatable_bonds(c.chemistry)
    q = np.zeros((300, 6 + len(rotatable.bonds)))
    q[:, 6:] = np.radians(10.0) * generator.normal(size=q[:, 6:].shape)
    return displace(c.start, rotatable, q)


def molecular_dynamics(c: RunStatistics) -> dict[str, Forecast]:
    """Stretches of the first half of the run, and all of it."""
    early = c.part(0.0, 0.5)
    out = {}
    lasts = c.interval_ps * len(early.runs[0])
    for length in (*(one for one in STRETCHES if one <= lasts), None):
        stop = None if length is None else round(length / c.interval_ps)
        x = early.runs[0][:stop].reshape(-1, 3 * len(c.start))
        rmsf = np.sqrt(x.var(0).reshape(-1, 3).sum(-1))
        thin = x[:: max(1, len(x) // 300)]
        name = "other half of the MD" if length is None else f"MD of {length} ps"
        covariance = np.cov(x.T, bias=True)
        shrunk = 0.95 * covariance + 0.05 * np.eye(len(covariance)) * np.trace(covariance) / len(
            covariance
        )
        out[name] = Forecast(
            x.mean(0),
            np.linalg.inv(shrunk),
            rmsf=rmsf,
            draws=thin,
            valid=thin.reshape(len(thin), -1, 3),
        )
    return out


if __name__ == "__main__":
    main()
