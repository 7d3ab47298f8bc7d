"""`make demo`: from a protein and the pose of a ligand to a trajectory and a report.

MCL1 with a ligand of 26 heavy atoms, a target that the bundled NeuralMD-OU was not trained on.  The
model reads the two files and nothing else; its RMSF stands beside that of 3 ns of all-atom MD
(reference set 'pocket'), which it never saw.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import mdtraj
import numpy as np
from rich.console import Console

from openmm_neuralmd import predict
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import bundled_models, read_card
from openmm_neuralmd.prediction.drawing import chart
from openmm_neuralmd.prediction.outputs import write
from openmm_neuralmd.prediction.run import MODEL
from openmm_neuralmd.structure.complex import Complex

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parent / "demo"
MD = HERE.parent / "validation" / "reference_sets" / "pocket" / "mcl1"
WINDOW = 250
"""Snapshots of 1 ps: the length of run that the model was trained on."""
console = Console(stderr=True)


def md_rmsf() -> np.ndarray:
    """RMSF (n,) in Å of the heavy atoms in MD, mean over windows of 250 ps in the second half."""
    complex = Complex.from_files(MD / "topology.pdb", sdf=MD / "ligand.sdf")
    x = 10 * mdtraj.load(str(MD / "trajectory.xtc"), top=str(MD / "topology.pdb")).xyz
    x = x[len(x) // 2 :, complex.ligand_heavy]
    windows = [x[k : k + WINDOW] for k in range(0, len(x) - WINDOW + 1, WINDOW)]
    variance = np.mean([w.var(axis=0).sum(axis=-1) for w in windows], axis=0)
    return np.sqrt(variance)


def refuse_seen() -> None:
    """Stop where the bundled model was trained on this target: the comparison would be no test."""
    card = read_card(bundled_models().get(MODEL, Path(MODEL)))
    seen = [data["name"] for data in card.data if "mcl1" in data["name"].lower()]
    if seen:
        raise SystemExit(f"model '{card.name}' was trained on {', '.join(seen)}: no fair demo")


def main() -> None:
    """Predict, write, compare."""
    refuse_seen()
    began = time.perf_counter()
    (one,) = predict(*predict_example())
    seconds = time.perf_counter() - began
    shutil.rmtree(OUTPUT, ignore_errors=True)
    write([one], OUTPUT)
    truth = md_rmsf()
    (OUTPUT / "report.png").write_bytes(chart(one, truth))
    r = np.corrcoef(np.log(one.rmsf), np.log(truth))[0, 1]
    error = np.sqrt(np.mean((np.log(one.rmsf) - np.log(truth)) ** 2))
    console.print(
        f"{one.name}: predicted in {seconds:.1f} s. RMSF {one.rmsf.mean():.2f} Å, MD "
        f"{truth.mean():.2f} Å; correlation {r:.2f}, error of ln RMSF {error:.2f}"
    )
    console.print(
        f"The pose stays within 2 Å with probability {one.stays:.0%} "
        f"({one.stays_low:.0%} to {one.stays_high:.0%})."
    )
    folder = OUTPUT.relative_to(Path.cwd()) if OUTPUT.is_relative_to(Path.cwd()) else OUTPUT
    console.print(
        f"Open {folder}/report.html and {folder}/report.png, and the trajectory:\n"
        f"  vmd {folder}/topology.pdb {folder}/trajectory.dcd\n"
        f"  pymol {folder}/topology.pdb -d 'load_traj {folder}/trajectory.dcd, topology'"
    )


if __name__ == "__main__":
    sys.exit(main())
