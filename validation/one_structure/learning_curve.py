"""Likelihood and displacement on complexes left out, against the number of training complexes.

    python validation/one_structure/learning_curve.py --many FOLDER --sizes 2 5

Complexes of set 'pocket' and train targets of set 'many' are dealt into folds; each fold is
predicted by models of random subsets of the others, with and without the network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from columns import bootstrap
from models import fit, without_network
from table import HERE, POCKET, machine, train_part

from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings, negative_log_likelihood
from openmm_neuralmd.training.ou_fit import OUFitSettings
from openmm_neuralmd.training.ou_objective import example
from openmm_neuralmd.training.run_statistics import RunStatistics, read_trajectory


def main() -> None:
    """Make the learning curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, help="folder of set 'many' (ID.npz, ...)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    parser.add_argument("--output", type=Path, default=HERE / "results" / "learning_curve.json")
    a = parser.parse_args()
    torch.set_num_threads(1)
    complexes = [read_trajectory(f) for f in sorted(POCKET.iterdir()) if f.is_dir()]
    complexes += train_part(a.many)
    order = np.random.default_rng(a.seed).permutation(len(complexes))
    folds = [order[k :: a.folds] for k in range(a.folds)]
    curve: dict[str, Any] = {}
    for size in a.sizes:
        rows: list[dict[str, Any]] = []
        for k, fold in enumerate(folds):
            others = [complexes[i] for i in order if i not in fold]
            pick = np.random.default_rng([a.seed, k]).permutation(len(others))[:size]
            model = fit(
                [others[i] for i in pick],
                NeuralOUSettings(members=1),
                OUFitSettings(epochs=30, frames=10, seed=a.seed),
                a.cache,
                f"curve{size}",
                rates=False,
            )
            rows += judged([complexes[i] for i in fold], model)
        curve[str(size)] = {"complexes": rows, **means(rows)}
        print(size, means(rows), flush=True)
    result = {
        "curve": curve,
        "settings": vars(a),
        "machine": machine(),
        "names": [c.name for c in complexes],
    }
    a.output.parent.mkdir(parents=True, exist_ok=True)
    a.output.write_text(json.dumps(result, indent=1, default=str) + "\n", encoding="utf-8")


@torch.no_grad()
def judged(complexes: Sequence[RunStatistics], model: NeuralOU) -> list[dict[str, Any]]:
    """Likelihood with and without the network, and the displacement, of each complex."""
    rows = []
    for c in complexes:
        e = example(c)
        away = torch.as_tensor((c.frames - c.start).reshape(len(c.frames), -1))
        row: dict[str, Any] = {"name": c.name}
        for name, one in (("network", model), ("classes", without_network(model))):
            g = one(e.springs)
            y = away - g.displacement
            squared = ((y @ g.stiffness) * y).sum(-1)
            row[name] = float(negative_log_likelihood(g, squared, y.shape[1]).mean())
        u = model(e.springs).displacement
        row["cosine"] = float(u @ e.offset / (u.norm() * e.offset.norm()))
        rows.append(row)
    return rows


def means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summary of one size."""
    gain = np.array([row["classes"] - row["network"] for row in rows])
    return {
        "nll_network_median": float(np.median([row["network"] for row in rows])),
        "nll_classes_median": float(np.median([row["classes"] for row in rows])),
        "gain_median": float(np.median(gain)),
        "gain_mean_and_interval": bootstrap(gain),
        "cosine_mean_and_interval": bootstrap(np.array([row["cosine"] for row in rows])),
    }


if __name__ == "__main__":
    main()
