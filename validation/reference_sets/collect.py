"""Take the finished runs of a campaign into the repository as compact data, with a manifest.

    python validation/reference_sets/collect.py pocket          # runs/*/*/pocket
    python validation/reference_sets/collect.py rigid flexible

Writes validation/reference_sets/SET/TARGET/ and validation/reference_sets/SET/manifest.json;
targets that are not in runs/ now keep what they have.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from compact import compact
from openmm_neuralmd.utils.files import complete

HERE = Path(__file__).parent
RUNS = HERE.parent.parent / "runs"
DRY = "dry"
"""The comparison: its motion is reported, its trajectories are not kept."""
REACH = {
    DRY: 1.0,
    "pocket": 1.0,
    "fine": 0.8,
    "rigid": 0.8,
    "flexible": 0.8,
}  # nm, see `compact`
LABELS = 1000
ABOUT = {
    DRY: "As set pocket, from complexes without water: a comparison, not a reference.",
    "pocket": "The ligand, residues and water molecules with an atom within 0.9 nm of it move; "
    "those within 1.4 nm stand still, and everything else is left out: what is farther of the "
    "protein and of the water, and long-range electrostatics (reaction field beyond 1.2 nm). The "
    "trajectory has no water.",
    "fine": "As set pocket, at a stride of 0.2 ps, where a ligand still remembers where it was.",
    "rigid": "The ligand alone moves, in the field of a protein that stands still (residues "
    "within 1.5 nm), with a distance-dependent dielectric 4r and without any solvent: the "
    "paper's semi-flexible setting.",
    "flexible": "Everything moves: protein, ligand, TIP3P water and 0.15 mol/l NaCl in a periodic "
    "box, PME, 300 K, 1 bar. The trajectory has neither water nor ions.",
}


def main() -> None:
    """One set after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", choices=sorted(ABOUT))
    for name in parser.parse_args().sets:
        collect(name)


def collect(name: str) -> None:
    """One set."""
    target = HERE / name
    known: dict[str, Any] = {}
    if (target / "manifest.json").is_file():
        known = json.loads((target / "manifest.json").read_text())["complexes"]
    for run in sorted(RUNS.glob(f"*/*/{name}")):
        complex = run.parent.name
        record = yaml.safe_load((run.parent / "complex" / "complex.yaml").read_text())
        shutil.rmtree(target / complex, ignore_errors=True)
        packed = compact(run, target / complex, REACH[name], LABELS)
        ligand = {key: record["ligand"][key] for key in ("molecule", "smiles", "charge")}
        source = {"protein": record["protein"], "parameters": record["parameters"]}
        known[complex] = {"ligand": ligand, **source, **packed.manifest}
        print(complex, packed.manifest["motion"])
    manifest = {
        "set": name,
        "about": ABOUT[name],
        "made_by": f"neuralmd campaign validation/reference_sets/{name}.yaml",
        "structures": "openforcefield/protein-ligand-benchmark (fd88824f, CC-BY-4.0) and "
        "OpenFreeEnergy/openfe-benchmarks (87c55d68, MIT)",
        "units": {"trajectory.xtc": "nm, ps", "labels.npz": "kJ/mol, kJ/mol/nm, nm, ps"},
        "complexes": dict(sorted(known.items())),
    }
    if name == DRY:
        for folder in (path for path in target.iterdir() if path.is_dir()):
            shutil.rmtree(folder)
    with complete(target / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
