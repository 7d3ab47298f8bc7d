"""`make demo`: from a protein and a ligand's pose to its motion, beside molecular dynamics.

MCL1 with a ligand that the model was not trained on; no MD and no force-field parameters are used.
Reference MD of the same complex (set 'pocket', 3 ns, committed in this repository) is only read
afterwards, to draw its RMSF beside the predicted one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from rdkit import Chem
from rich.console import Console

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.fluctuation import correlation, rmsf
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import bundled_models, read_card
from openmm_neuralmd.prediction import LigandPrediction
from openmm_neuralmd.prediction.drawing import chart, largest
from openmm_neuralmd.prediction.outputs import folder_names, write_ligand
from openmm_neuralmd.prediction.page import render
from openmm_neuralmd.utils.files import complete

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo"
REFERENCE = ROOT / "validation" / "reference_sets" / "pocket" / "mcl1"
console = Console(stderr=True)


def md_rmsf(one: LigandPrediction) -> np.ndarray:
    """RMSF (n,) in Å of the reference MD, in the order of the prediction's heavy atoms."""
    sdf = REFERENCE / "ligand.sdf"
    complex = nmd.Complex.from_files(REFERENCE / "topology.pdb", ligand="LIG", sdf=sdf)
    snapshots = nmd.read_snapshots(REFERENCE / "trajectory.xtc", complex)
    theirs = Chem.RemoveHs(Chem.MolFromMolFile(str(sdf), removeHs=False))
    match = theirs.GetSubstructMatch(Chem.RemoveHs(one.molecule))
    return rmsf(snapshots.ligand)[list(match)]


def refuse_seen(model: str) -> None:
    """Stop where the model was trained on this target: the comparison below would be no test."""
    card = read_card(bundled_models().get(model, Path(model)))
    seen = [data["name"] for data in card.data if "mcl1" in data["name"].lower()]
    if seen:
        raise SystemExit(f"model '{card.name}' was trained on {', '.join(seen)}: no fair demo")


def main(words: list[str] | None = None) -> None:
    """Predict, write, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--model", default="neuralmd-ou", help="Bundled name or model file.")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args(words)
    began = time.perf_counter()
    refuse_seen(arguments.model)
    (one,) = nmd.predict(*predict_example(), model=arguments.model)
    output = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    write_ligand(one, output, largest([one]))
    with complete(output / "report.html") as temporary:
        temporary.write_text(render([one], folder_names([one])), encoding="utf-8")
    console.print(f"predicted in {time.perf_counter() - began:.1f} s, without MD or parameters")

    truth = md_rmsf(one)
    with complete(output / "report.png") as temporary:
        temporary.write_bytes(chart(one, truth))
    inside = float(((one.rmsf_low <= truth) & (truth <= one.rmsf_high)).mean())
    console.print(
        f"RMSF: predicted {one.rmsf.mean():.2f} Å, 3 ns of MD {truth.mean():.2f} Å; correlation "
        f"over atoms {correlation(one.rmsf, truth):.2f}; {inside:.0%} of the atoms are inside the "
        "predicted 95 % interval"
    )
    console.print(
        f"\nOpen [bold]{output / 'report.html'}[/] and {output / 'report.png'}, and the "
        f"trajectory:\n  vmd {output / 'topology.pdb'} {output / 'trajectory.dcd'}\n"
        f"  pymol {output / 'topology.pdb'} -d 'load_traj {output / 'trajectory.dcd'}, topology'"
    )


if __name__ == "__main__":
    main()
