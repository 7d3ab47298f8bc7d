"""Choices of the model, judged on train targets alone: folds over set 'many', no test target read.

    python validation/one_structure/cross_validation.py --many validation/reference_sets/many

Each fold of the train targets is predicted by a model of the others: likelihood with and without
the network, with the chemistry of the pocket's atoms permuted, and the displacement.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from learning_curve import judged, means
from models import fit
from table import HERE, machine, train_part

from openmm_neuralmd.dynamics.ou import NeuralOUSettings
from openmm_neuralmd.training.ou_fit import OUFitSettings


def main() -> None:
    """Fit and judge every fold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    a = parser.parse_args()
    torch.set_num_threads(1)
    complexes = train_part(a.many)
    order = np.random.default_rng(a.seed).permutation(len(complexes))
    how = OUFitSettings(frames=20, start_share=0.25, seed=a.seed)
    rows: list[dict[str, Any]] = []
    for fold in range(a.folds):
        left_out = set(order[fold :: a.folds].tolist())
        train = [c for k, c in enumerate(complexes) if k not in left_out]
        settings = NeuralOUSettings(members=a.members)
        model = fit(train, settings, how, a.cache, f"fold{fold}", rates=False)
        rows += judged([complexes[k] for k in sorted(left_out)], model)
        print(fold, means(rows), flush=True)
    columns = ("network", "classes", "shuffled", "cosine")
    result = {
        "mean": {key: float(np.mean([row[key] for row in rows])) for key in columns},
        **means(rows),
        "complexes": rows,
        "settings": {"folds": a.folds, "members": a.members, "seed": a.seed},
        "machine": machine(),
    }
    output = HERE / "results" / "cross_validation.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
