"""Mode 'flexible' against mode 'pocket': what a prediction of the one says about the other.

    python validation/one_structure/protocols.py

For every complex of set 'flexible' (all atoms move, periodic box) and its run in set 'pocket', from
the same prepared pose: how far the ligand's mean goes, in what direction, and its RMSF; and how
good the bundled model, which learned from mode 'pocket' alone, is against each.  Snapshots of mode
'flexible' are superposed on the given backbone around the ligand.  Both runs are cut to the length
of the shorter one; the truth is their second half.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import torch
from columns import columns
from models import without_displacement, without_network
from numpy.typing import NDArray
from openmm import app
from rows import true_rmsf
from summary import machine
from table import HERE, POCKET, molecular_dynamics, of_model, truth

from openmm_neuralmd.dynamics.ou import NeuralOU
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.structure.imaging import superpose
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import (
    RunStatistics,
    read_protein,
    read_trajectory,
)
from openmm_neuralmd.units import to_angstrom

Array = NDArray[np.float64]
FLEXIBLE = POCKET.with_name("flexible")
SHOWN = ("nll", "energy_score", "log_rmsf_error", "r_within", "u_cosine", "u_error")


def main() -> None:
    """Compare the modes for each complex that has runs in both."""
    torch.set_num_threads(1)
    model = load(bundled_models()[MODEL])
    names = sorted(f.name for f in FLEXIBLE.iterdir() if (f / "trajectory.xtc").is_file())
    complexes = {name: compared(name, model) for name in names}
    result = {"complexes": complexes, "machine": machine()}
    text = json.dumps(result, indent=1) + "\n"
    (HERE / "results" / "protocols.json").write_text(text, encoding="utf-8")
    print(text)


def compared(name: str, model: NeuralOU) -> dict[str, Any]:
    """Motion in both modes, and every row against each."""
    pocket, flexible = read_trajectory(POCKET / name), superposed(FLEXIBLE / name)
    length = min(c.interval_ps * len(c.runs[0]) for c in (pocket, flexible))
    runs = {
        mode: replace(c, runs=[c.runs[0][: round(length / c.interval_ps)]])
        for mode, c in (("pocket", pocket), ("flexible", flexible))
    }
    late = {mode: c.part(0.5, 1.0) for mode, c in runs.items()}
    moves = {mode: c.mean - c.start for mode, c in late.items()}
    rmsf = {mode: np.log(true_rmsf(c)) for mode, c in late.items()}
    away = rmsf["flexible"] - rmsf["pocket"]
    return {
        "ps": length / 2,
        "displacement_angstrom": {
            m: float(np.sqrt((d**2).sum(-1).mean())) for m, d in moves.items()
        },
        "cosine": cosine(*moves.values()),
        "log_rmsf_difference": float(np.sqrt((away**2).mean())),
        "log_rmsf_bias": float(away.mean()),
        "r_of_rmsf": float(np.corrcoef(np.exp(rmsf["flexible"]), np.exp(rmsf["pocket"]))[0, 1]),
        "rows": {mode: judged(c, model) for mode, c in runs.items()},
    }


def superposed(folder: Path) -> RunStatistics:
    """A complex of mode 'flexible' with its snapshots in the frame of start.pdb.gz."""
    c = read_trajectory(folder)
    run = mdtraj.load(str(folder / "trajectory.xtc"), top=str(folder / "topology.pdb"))
    topology, positions = read_protein(folder / "start.pdb.gz")
    places = {key(atom): positions[atom.index] for atom in topology.atoms()}
    atoms = read_protein(folder / "topology.pdb")[0].atoms()
    backbone = [a for a in atoms if a.name in ("N", "CA", "C") and key(a) in places]
    given = [places[key(a)] for a in backbone]
    x = to_angstrom(run.xyz[:, [a.index for a in backbone]].astype(np.float64))
    rotation, translation = superpose(x, np.array(given))
    return replace(c, runs=[c.runs[0] @ rotation + translation[:, None]])


def key(atom: app.topology.Atom) -> tuple[str, str, str, str]:
    """Name of an atom that is the same in every file of a complex."""
    residue = atom.residue
    return residue.chain.id, residue.id, residue.insertionCode, atom.name


def judged(c: RunStatistics, model: NeuralOU) -> dict[str, dict[str, float]]:
    """Columns of the model, of its parts, and of MD itself."""
    target = truth(c, model)
    window = 0.5 * c.interval_ps * len(c.runs[0])
    rows = {
        "network": model,
        "u = 0": without_displacement(model),
        "20-number H (F = 0)": without_network(model),
    }
    forecasts = {name: of_model(one, c, 1.0, window, 0) for name, one in rows.items()}
    forecasts["other half of the MD"] = molecular_dynamics(c)["other half of the MD"]
    every = {name: columns(one, target) for name, one in forecasts.items()}
    return {name: {k: v[k] for k in SHOWN if k in v} for name, v in every.items()}


def cosine(a: Array, b: Array) -> float:
    """Cosine of the angle between two displacements (n, 3)."""
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


if __name__ == "__main__":
    main()
