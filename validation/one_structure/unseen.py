"""Judge the bundled NeuralMD-OU on complexes of set 'many' whose targets it never saw.

    python validation/one_structure/unseen.py --many validation/reference_sets/many

The rows and columns of table.py, for complexes of splits 'validation' and 'test' (second ligands of
the test targets: set 'pocket' has the first ones).  The model is the bundled one, of one seed; the
row 'ligand only' is one model of the same training complexes without their pockets.  The truth is
the second half of each of a complex's two runs.  Where results/many.json has its eight complexes,
differences are given over both together.  Intervals are over targets: complexes of one target count
as one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from columns import bootstrap
from models import fit, without_pocket
from summary import PAIRED, Table, machine, summary
from table import HERE, judge_complex, train_part

from openmm_neuralmd.dynamics.ou import NeuralOUSettings
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.training.ou_files import load, read_card
from openmm_neuralmd.training.ou_fit import OUFitSettings
from openmm_neuralmd.training.run_statistics import read_packed


def main() -> None:
    """Judge every unseen complex."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--many", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/one_structure"))
    a = parser.parse_args()
    torch.set_num_threads(1)
    entries = json.loads((a.many / "manifest.json").read_text())["complexes"]
    targets = {name: one["target"] for name, one in entries.items()}
    path = bundled_models()[MODEL]
    model = load(path)
    learned = {one["name"] for one in read_card(path).data}
    train = [c for c in train_part(a.many) if c.name in learned]
    how = OUFitSettings(seed=0)
    alone = [without_pocket(c) for c in train]
    ligand = fit(alone, NeuralOUSettings(members=len(model.members)), how, a.cache, "ligand-only")
    table: Table = {}
    unseen = {name for name, one in entries.items() if one["split"] != "train"}
    for c in read_packed(a.many, unseen):
        judge_complex(c, train, model, ligand, how.seed, table)
    result: dict[str, Any] = summary(table)
    result["splits"] = {name: entries[name]["split"] for name in sorted(unseen)}
    result["over_targets"] = over_targets(table, targets)
    eight = json.loads((HERE / "results" / "many.json").read_text())["complexes"]
    both = {row: {**eight.get(row, {}), **one} for row, one in table.items()}
    result["over_targets_with_set_pocket"] = over_targets(both, targets)
    result["rmsf_errors_with_set_pocket"] = rmsf_errors(both)
    result["train"] = [c.name for c in train]
    result["machine"] = machine()
    output = HERE / "results" / "unseen.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["over_targets_with_set_pocket"], indent=1))


def over_targets(table: Table, targets: dict[str, str]) -> dict[str, Any]:
    """Mean difference of each row from the network over targets, with interval and number.

    A complex that is not in `targets` begins with the name of its target (set 'pocket').
    """
    out: dict[str, Any] = {}
    for row, complexes in table.items():
        for key in PAIRED if row != "network" else ():
            away: dict[str, list[float]] = {}
            for name, one in complexes.items():
                if key in one and key in table["network"][name]:
                    difference = one[key] - table["network"][name][key]
                    away.setdefault(targets.get(name, name.split("_")[0]), []).append(difference)
            if away:
                means = np.array([np.mean(values) for values in away.values()])
                out.setdefault(row, {})[key] = {"targets": len(means), "mean": bootstrap(means)}
    return out


def rmsf_errors(table: Table) -> dict[str, dict[str, float]]:
    """Mean error of ln RMSF over complexes: of the profile over atoms, and of the overall size."""
    out = {}
    for row, complexes in table.items():
        both = [o for o in complexes.values() if "log_rmsf_bias" in o]
        if both:
            out[row] = {
                "profile": float(np.mean([o["log_rmsf_profile_error"] for o in both])),
                "size": float(np.mean([abs(o["log_rmsf_bias"]) for o in both])),
            }
    return out


if __name__ == "__main__":
    main()
