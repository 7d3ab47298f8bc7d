"""Kinases left out: what a model that never saw a kinase says about kinases.

    python validation/one_structure/kinases.py --many validation/reference_sets/many

Models of one network learn from all train targets of set 'many', from those that are no kinases,
and, to tell a family's absence from fewer data, from as many targets drawn at random.  The kinases
of set 'pocket' (chk1, p38, tyk2) are predicted; its other complexes stand beside them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning_curve import judged, means
from models import fit
from table import HERE, POCKET, machine, train_part

from openmm_neuralmd.dynamics.ou import NeuralOUSettings
from openmm_neuralmd.training.ou_fit import OUFitSettings
from openmm_neuralmd.training.run_statistics import RunStatistics, read_trajectory

KINASES = ("chk1", "p38", "tyk2")
"""Of set 'pocket'."""


def main() -> None:
    """Fit the models of each seed, and judge them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    a = parser.parse_args()
    torch.set_num_threads(1)
    entries = json.loads((a.many / "manifest.json").read_text())["complexes"]
    every = train_part(a.many)
    others = [c for c in every if entries[c.name]["family"] != "kinase"]
    judges = [read_trajectory(f) for f in sorted(POCKET.iterdir()) if f.is_dir()]
    rows: dict[str, list[dict[str, Any]]] = {}
    for seed in a.seeds:
        drawn = np.random.default_rng(seed).permutation(len(every))[: len(others)]
        parts: dict[str, Sequence[RunStatistics]] = {
            "all targets": every,
            "no kinases": others,
            "as many at random": [every[i] for i in sorted(drawn)],
        }
        for name, part in parts.items():
            how, label = OUFitSettings(seed=seed), name.replace(" ", "-")
            model = fit(part, NeuralOUSettings(members=1), how, a.cache, label, rates=False)
            rows.setdefault(name, []).extend(judged(judges, model))
            print(seed, name, means(rows[name]), flush=True)
    result = {
        "learned_from": {"all targets": len(every), "no kinases": len(others)},
        "kinases": {name: means(_of(one, True)) for name, one in rows.items()},
        "others": {name: means(_of(one, False)) for name, one in rows.items()},
        "complexes": rows,
        "machine": machine(),
    }
    output = HERE / "results" / "kinases.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _of(rows: Sequence[dict[str, Any]], kinases: bool) -> list[dict[str, Any]]:
    return [row for row in rows if (row["name"] in KINASES) == kinases]


if __name__ == "__main__":
    main()
