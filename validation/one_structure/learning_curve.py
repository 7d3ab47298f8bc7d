"""Likelihood and displacement on unseen targets, against the number of training complexes.

    python validation/one_structure/learning_curve.py --many FOLDER --sizes 2 5 10

Random subsets of the train targets of set 'many' are learned from; the complexes of set 'pocket'
are predicted, with and without the network, and with the chemistry of the pocket's atoms permuted.
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
from models import fit, shuffled_pocket, without_network
from table import HERE, POCKET, machine, train_part

from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings, negative_log_likelihood
from openmm_neuralmd.training.ou_fit import OUFitSettings, example
from openmm_neuralmd.training.run_statistics import RunStatistics, read_trajectory


def main() -> None:
    """Make the learning curve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, help="folder of set 'many' (ID.npz, ...)")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--draws", type=int, default=3, help="subsets of each size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    parser.add_argument("--output", type=Path, default=HERE / "results" / "learning_curve.json")
    a = parser.parse_args()
    torch.set_num_threads(1)
    judges = [read_trajectory(f) for f in sorted(POCKET.iterdir()) if f.is_dir()]
    train = train_part(a.many)
    curve: dict[str, Any] = {}
    for size in [n for n in a.sizes if n < len(train)] + [len(train)]:
        rows: list[dict[str, Any]] = []
        for draw in range(a.draws):
            pick = np.random.default_rng([a.seed, draw]).permutation(len(train))[:size]
            model = fit(
                [train[i] for i in sorted(pick)],
                NeuralOUSettings(members=1),
                OUFitSettings(seed=a.seed + draw),
                a.cache,
                f"curve{size}",
                rates=False,
            )
            rows += judged(judges, model)
        curve[str(size)] = {"complexes": rows, **means(rows)}
        print(size, means(rows), flush=True)
    result = {
        "curve": curve,
        "settings": vars(a),
        "machine": machine(),
        "train": [c.name for c in train],
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
        for name, one, given in (
            ("network", model, e),
            ("classes", without_network(model), e),
            ("shuffled", model, example(shuffled_pocket(c))),
        ):
            g = one(given.springs)
            y = away - g.displacement
            squared = ((y @ g.stiffness) * y).sum(-1)
            row[name] = float(negative_log_likelihood(g, squared, y.shape[1]).mean())
        u = model(e.springs).displacement
        row["cosine"] = float(u @ e.offset / (u.norm() * e.offset.norm()))
        rows.append(row)
    return rows


def means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Summary of one size: each complex counts once, as the mean over the subsets."""
    names = sorted({row["name"] for row in rows})
    columns = ("network", "classes", "shuffled", "cosine")
    rows = [
        {key: float(np.mean([r[key] for r in rows if r["name"] == name])) for key in columns}
        for name in names
    ]
    gain = np.array([row["classes"] - row["network"] for row in rows])
    return {
        "nll_network_median": float(np.median([row["network"] for row in rows])),
        "nll_classes_median": float(np.median([row["classes"] for row in rows])),
        "gain_median": float(np.median(gain)),
        "gain_mean_and_interval": bootstrap(gain),
        "shuffled_mean_and_interval": bootstrap(
            np.array([row["shuffled"] - row["network"] for row in rows])
        ),
        "cosine_mean_and_interval": bootstrap(np.array([row["cosine"] for row in rows])),
    }


if __name__ == "__main__":
    main()
