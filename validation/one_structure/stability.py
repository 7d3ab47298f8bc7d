"""Does a pose stay?  Set 'decoys' beside the prediction.

    python validation/one_structure/stability.py

A pose stays where MD keeps it within 2 Å (mean RMSD of its heavy atoms, see
validation/reference_sets/decoys.py).  What is compared, from the pose alone: how far the bundled
model expects it to be; the same without the network; its contacts with the protein.  And the energy
between ligand and protein after relaxing, which needs parameters.  No model learned from these
targets.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from columns import auroc
from models import without_network
from rdkit import Chem
from scipy.stats import spearmanr
from summary import machine
from table import HERE

from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
from openmm_neuralmd.bindingnet.pocket import PocketAtoms, pocket_atoms
from openmm_neuralmd.dynamics.ou import NeuralOU
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.prediction.ensemble import DRAWS, WITHIN
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.training.run_statistics import read_protein

SET = HERE.parent / "reference_sets" / "decoys"
REPEATS = 2000
NETWORK, BARE, CONTACTS, ENERGY = "network", "20-number H (F = 0)", "contacts", "interaction energy"
ROWS = (NETWORK, BARE, CONTACTS, ENERGY)


def main() -> None:
    """Score every pose, judge, write."""
    torch.set_num_threads(1)
    model = load(bundled_models()[MODEL])
    complexes = json.loads((SET / "manifest.json").read_text())["complexes"]
    poses: list[dict[str, Any]] = []
    for name, entry in complexes.items():
        sound = {kind: one for kind, one in entry["poses"].items() if "failed" not in one}
        if not sound:
            continue
        topology, positions = read_protein(SET / f"{name}.pdb.gz")
        for molecule in Chem.SDMolSupplier(str(SET / f"{name}.sdf"), removeHs=False):
            kind = molecule.GetProp("_Name").rsplit(", ", 1)[1]
            heavy = molecule.GetConformer().GetPositions()[ligand_chemistry(molecule).atoms]
            pocket = pocket_atoms(topology, positions, heavy)
            one = {"complex": name, "kind": kind, "target": entry["target"], **sound[kind]}
            poses.append({**one, "scores": scored(model, molecule, pocket, one)})
    failed = sum("failed" in one for e in complexes.values() for one in e["poses"].values())
    result = {"judged": judged(poses) | {"failed": failed}, "poses": poses, "machine": machine()}
    output = HERE / "results" / "stability.json"
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result["judged"], indent=1))


def scored(
    model: NeuralOU, molecule: Chem.Mol, pocket: PocketAtoms, pose: dict[str, Any]
) -> dict[str, float]:
    """Scores of a pose, the larger the more it should stay; and the probability of staying."""
    chemistry = ligand_chemistry(molecule)
    heavy = molecule.GetConformer().GetPositions()[chemistry.atoms]
    out = {ENERGY: -pose["interaction_kj_mol"]}
    for name, one in ((NETWORK, model), (BARE, without_network(model))):
        draws = predict_pose(one, chemistry, heavy, pocket).snapshots(DRAWS)
        away = np.sqrt(((draws - heavy) ** 2).sum(-1).mean(-1))
        out[name] = -float(away.mean())
        out[f"{name}, stays"] = float((away < WITHIN).mean())
    gaps = np.linalg.norm(heavy[:, None] - pocket.positions, axis=-1)
    return out | {CONTACTS: float((gaps < 4.5).sum() / len(heavy))}


def judged(poses: list[dict[str, Any]]) -> dict[str, Any]:
    """AUROC of 'stays' and rank correlation with the RMSD, with intervals over targets."""
    targets = sorted({one["target"] for one in poses})
    own = [[one for one in poses if one["target"] == target] for target in targets]
    away = np.array([one["rmsd_angstrom"] for one in poses])
    generator = np.random.default_rng(0)
    drawn = generator.integers(len(targets), size=(REPEATS, len(targets)))
    out: dict[str, Any] = {
        "poses": len(poses),
        "ligands": len({one["complex"] for one in poses}),
        "targets": len(targets),
        "stay": int((away < WITHIN).sum()),
        "rows": {},
    }
    for row in ROWS:
        columns = {}
        for key, measure in (("auroc", stays), ("rank correlation", ranked)):
            spread = [measure([one for k in some for one in own[k]], row) for some in drawn]
            columns[key] = [
                measure(poses, row),
                *np.nanquantile(np.array(spread), (0.025, 0.975)).tolist(),
            ]
        out["rows"][row] = columns
    real = (away < WITHIN).astype(float)
    rates = {
        row: np.array([one["scores"][f"{row}, stays"] for one in poses]) for row in (NETWORK, BARE)
    }
    rates["the same for all"] = np.full(len(poses), real.mean())
    out["brier"] = {row: float(((rate - real) ** 2).mean()) for row, rate in rates.items()}
    return out


def stays(poses: list[dict[str, Any]], row: str) -> float:
    """AUROC of 'stays'."""
    away = np.array([one["rmsd_angstrom"] for one in poses])
    return float(auroc(np.array([one["scores"][row] for one in poses]), away < WITHIN))


def ranked(poses: list[dict[str, Any]], row: str) -> float:
    """Rank correlation of a score with staying near."""
    away = [-one["rmsd_angstrom"] for one in poses]
    return float(spearmanr([one["scores"][row] for one in poses], away).statistic)


if __name__ == "__main__":
    main()
