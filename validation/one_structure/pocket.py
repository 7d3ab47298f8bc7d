"""Judge the predicted motion of side chains around the ligand, on targets that were not learned.

    python validation/one_structure/pocket.py --many validation/reference_sets/many

First in folds: each fold of the train targets of set 'many' is predicted by a model of the other
train targets.  Then the bundled model predicts the complexes of the other splits.  Judged are the
side chains' heavy atoms within 6 Å of the ligand: RMSF about the mean of a run, displacement of the
mean from the given structure, and contacts (below 4.5 Å) of ligand and side-chain atoms that are
within 7 Å in the given structure.  Intervals are over targets.  In the folds the ligand's own model
is the bundled one, which learned from these ligands: their contacts are not unseen there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from columns import CONTACT, NEAR, auroc, bootstrap
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from table import HERE, machine, train_part

from openmm_neuralmd.bindingnet.side_chains import REACH
from openmm_neuralmd.dynamics.ou import NeuralOU
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.side_chain_motion import side_chain_motion
from openmm_neuralmd.dynamics.side_chain_network import SideChainNetwork
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import RunStatistics, read_packed
from openmm_neuralmd.training.side_chain_fit import (
    SideChainFitSettings,
    fit_side_chain_constants,
    fit_side_chain_member,
    fit_side_chain_scale,
    side_chain_examples,
)

Array = NDArray[np.float64]
DRAWS = 300
SMALLER = {"log_rmsf_error": "ln RMSF", "displacement_error": "Å", "contact_brier": "Brier"}
"""Columns, the smaller the better, whose differences from the network have an interval."""


def main() -> None:
    """Judge the folds, then the complexes of the other splits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    torch.set_num_threads(1)
    bundled = load(bundled_models()[MODEL])
    train = [c for c in train_part(a.many) if c.side_chains is not None]
    entries = json.loads((a.many / "manifest.json").read_text())["complexes"]
    others = {name for name, one in entries.items() if one["split"] != "train"}
    rows: dict[str, dict[str, dict[str, float]]] = {}
    order = np.random.default_rng(a.seed).permutation(len(train))
    for fold in range(a.folds):
        left_out = sorted(order[fold :: a.folds].tolist())
        part = [c for k, c in enumerate(train) if k not in left_out]
        model = fitted(bundled, part, a.members, a.seed)
        models = {"class constants": bare(model, part), "network": model}
        for k in left_out:
            judge(train[k], part, models, a.many, rows)
    unseen: dict[str, dict[str, dict[str, float]]] = {}
    models = {"class constants": bare(bundled, train), "network": bundled}
    for c in read_packed(a.many, others):
        judge(c, train, models, a.many, unseen)
    targets = {name: one["target"] for name, one in entries.items()}
    result = {
        "train targets, in folds": summary(rows, targets),
        "unseen targets, bundled model": summary(unseen, targets) if unseen else None,
        "settings": {"folds": a.folds, "members": a.members, "seed": a.seed},
        "machine": machine(),
    }
    output = HERE / "results" / "pocket.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def fitted(
    bundled: NeuralOU, complexes: Sequence[RunStatistics], members: int, seed: int
) -> NeuralOU:
    """The bundled model with side chains that were fitted to these complexes alone."""
    assert bundled.settings.side_chains is not None
    torch.manual_seed(seed)
    settings = bundled.settings.side_chains.model_copy(update={"members": members})
    network, examples = SideChainNetwork(settings), side_chain_examples(complexes)
    how = SideChainFitSettings(seed=seed)
    fit_side_chain_constants(network, examples, how.prior)
    for member in range(members):
        fit_side_chain_member(network, member, examples, how)
    return scaled(bundled, network, complexes)


def scaled(
    model: NeuralOU, network: SideChainNetwork, complexes: Sequence[RunStatistics]
) -> NeuralOU:
    """The model with other side chains, and their scale fitted to these complexes."""
    other = NeuralOU(model.settings.model_copy(update={"side_chains": network.settings}))
    own = {k: v for k, v in model.state_dict().items() if not k.startswith("side_chains.")}
    theirs = {f"side_chains.{k}": v for k, v in network.state_dict().items()}
    other.load_state_dict(own | theirs)
    fit_side_chain_scale(other, complexes)
    return other.eval()


def bare(model: NeuralOU, train: Sequence[RunStatistics]) -> NeuralOU:
    """The model whose side chains have class constants only, with a scale of their own."""
    assert model.side_chains is not None
    network = SideChainNetwork(model.side_chains.settings.model_copy(update={"members": 0}))
    weights = model.side_chains.state_dict()
    network.load_state_dict({k: weights[k] for k in network.state_dict()})
    return scaled(model, network, train)


def judge(
    c: RunStatistics,
    train: Sequence[RunStatistics],
    models: dict[str, NeuralOU],
    folder: Path,
    table: dict[str, dict[str, dict[str, float]]],
) -> None:
    """Enter the columns of every row for one complex."""
    s = c.side_chains
    assert s is not None
    rows = judged_atoms(c)
    truth = np.log(np.sqrt((s.rmsf**2).mean(axis=0)))[rows]
    offset = (s.mean - s.side.start[s.rows])[rows]
    out: dict[str, dict[str, float]] = {}
    for name, values in naive_rmsf(c, train).items():
        out[name] = fluctuations(values[rows], truth)
    out["other run"] = fluctuations(np.log(s.rmsf[0])[rows], np.log(s.rmsf[1])[rows])
    out["as given"] = displaced(np.zeros_like(offset), offset)
    draws = predict_pose(models["network"], c.chemistry, c.start, c.pocket).snapshots(DRAWS, 0)
    still = np.repeat(s.side.start[None], DRAWS, axis=0)
    out["pocket as given"] = contacts(c, folder, draws, still)
    out["pocket and ligand as given"] = contacts(c, folder, c.start[None], s.side.start[None])
    for name, one in models.items():
        process = predict_pose(one, c.chemistry, c.start, c.pocket).process
        motion = side_chain_motion(one, s.side, process)
        assert motion is not None
        around = motion.following(draws[:, None], np.zeros(1))[:, 0]
        out[name] = {
            **fluctuations(np.log(motion.rmsf(c.window_ps)[s.rows])[rows], truth),
            **displaced(motion.displacement[s.rows][rows], offset),
            **contacts(c, folder, draws, around),
            "nearest": float(np.quantile([cdist(x, y).min() for x, y in zip(draws, around)], 0.05)),
        }
    out["pocket as given"]["nearest"] = float(
        np.quantile([cdist(x, s.side.start).min() for x in draws], 0.05)
    )
    for name, one_row in out.items():
        table.setdefault(name, {})[c.name] = one_row
    print(c.name, {k: round(v, 3) for k, v in out["network"].items()}, flush=True)


def judged_atoms(c: RunStatistics) -> NDArray[np.bool_]:
    """Mask of the atoms with statistics in side chains within `REACH` of the ligand."""
    s = c.side_chains
    assert s is not None
    near = cdist(s.side.start[s.rows], c.start).min(axis=1) <= REACH
    return near & ~s.side.backbone[s.rows]


def naive_rmsf(c: RunStatistics, train: Sequence[RunStatistics]) -> dict[str, Array]:
    """ln RMSF of every atom with statistics, by linear models of the training complexes."""
    every = [o for o in train if o.side_chains is not None]
    y = np.concatenate([_log_rmsf(o)[judged_atoms(o)] for o in every])
    x = np.concatenate([_static(o)[judged_atoms(o)] for o in every])
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    own = (_static(c) - mean) / deviation
    z = (x - mean) / deviation

    def line(columns: slice, penalty: float) -> Array:
        a = np.c_[z[:, columns], np.ones(len(z))]
        size = np.diag([penalty] * (a.shape[1] - 1) + [0.0])
        w = np.linalg.solve(a.T @ a + size, a.T @ y)
        return np.asarray(np.c_[own[:, columns], np.ones(len(own))] @ w)

    return {
        "same for all": np.full(len(own), y.mean()),
        "contact number": line(slice(0, 1), 0.0),
        "ridge": line(slice(None), 3.0),
    }


def _log_rmsf(c: RunStatistics) -> Array:
    assert c.side_chains is not None
    return np.log(np.sqrt((c.side_chains.rmsf**2).mean(axis=0)))


def _static(c: RunStatistics) -> Array:
    """Contact number first, then distance from the ligand and the chemistry of each atom."""
    s = c.side_chains
    assert s is not None
    x = s.side.start[s.rows]
    around = np.concatenate([s.side.surroundings.positions, s.side.start])
    counts = [(cdist(x, around) < radius).sum(axis=1) for radius in (7.0, 4.5)]
    distance = cdist(x, c.start).min(axis=1)
    columns = np.c_[np.log(counts[0]), np.log(counts[1]), distance]
    return np.concatenate([columns, s.side.chemistry.features[s.rows]], axis=1)


def fluctuations(log_rmsf: Array, truth: Array) -> dict[str, float]:
    """Error of ln RMSF, and its correlation over atoms."""
    varies = np.std(log_rmsf) > 1e-9
    return {
        "log_rmsf_error": float(np.sqrt(((log_rmsf - truth) ** 2).mean())),
        "r": float(np.corrcoef(log_rmsf, truth)[0, 1]) if varies else 0.0,
    }


def displaced(u: Array, offset: Array) -> dict[str, float]:
    """Error of the mean in Å, and cosine of the displacement."""
    size = np.linalg.norm(u) * np.linalg.norm(offset)
    return {
        "displacement_error": float(np.sqrt(((u - offset) ** 2).sum(-1).mean())),
        "cosine": float((u * offset).sum() / size) if size > 0 else 0.0,
    }


def contacts(c: RunStatistics, folder: Path, ligand: Array, around: Array) -> dict[str, float]:
    """Brier score of contacts in the snapshots, and AUROC of 'in contact half of the time'.

    Parameters
    ----------
    c : RunStatistics
    folder : Path
        Of set 'many'.
    ligand, around : (S, n, 3), (S, m, 3)
        Å.
    """
    s = c.side_chains
    assert s is not None
    with np.load(folder / f"{c.name}.npz") as arrays:
        shares = arrays["contacts"][:, :, s.columns].mean(axis=0) / 255.0
    rows = judged_atoms(c)
    own = s.rows[rows]
    given = cdist(c.start, s.side.start[own])
    i, p = np.nonzero(given < NEAR)
    real = shares[:, rows][i, p]
    touching = [cdist(x, y[own])[i, p] < CONTACT for x, y in zip(ligand, around)]
    predicted = np.mean(touching, axis=0)
    brier = (predicted - real) ** 2 + real * (1.0 - real)
    return {"contact_brier": float(brier.mean()), "contact_auroc": auroc(predicted, real >= 0.5)}


def summary(
    table: dict[str, dict[str, dict[str, float]]], targets: dict[str, str]
) -> dict[str, Any]:
    """Medians of each row, and differences from the network over targets with intervals."""
    medians = {
        row: {
            key: float(np.median([one[key] for one in complexes.values()]))
            for key in next(iter(complexes.values()))
        }
        for row, complexes in table.items()
    }
    away: dict[str, Any] = {}
    for row, complexes in table.items():
        for key in SMALLER:
            if row == "network" or key not in next(iter(complexes.values())):
                continue
            each: dict[str, list[float]] = {}
            for name, one in complexes.items():
                each.setdefault(targets[name], []).append(one[key] - table["network"][name][key])
            means = np.array([np.mean(values) for values in each.values()])
            away.setdefault(row, {})[key] = bootstrap(means)
    return {
        "complexes": table,
        "targets": len({targets[name] for name in table["network"]}),
        "medians": medians,
        "row_minus_network": away,
    }


if __name__ == "__main__":
    main()
