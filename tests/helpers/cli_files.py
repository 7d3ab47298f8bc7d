"""Small inputs for the tests of the command line: 40 real snapshots and settings for them."""

from __future__ import annotations

from pathlib import Path

import mdtraj
import yaml

from openmm_neuralmd.examples import GPCR_FOLDER

SETTINGS = {
    "name": "tiny",
    "data": {"topology": "complex.pdb", "trajectory": "known.xtc", "ligand": "LIG"},
    "model": {
        "network": {"hidden": 8, "vector_channels": 2, "ligand_layers": 1, "num_radial": 8},
        "memory": [5.0],
    },
    "horizon": 2,
    "validation_horizon": 2,
    "history": 8,
    "epochs": 2,
    "warmup": 2,
}


def write_inputs(folder: Path, **changes: object) -> Path:
    """complex.pdb, known.xtc (the first 40 snapshots of the GPCR) and settings.yaml."""
    trajectory = mdtraj.load(GPCR_FOLDER / "trajectory.xtc", top=GPCR_FOLDER / "topology.pdb")
    trajectory[:40].save_xtc(folder / "known.xtc")
    (folder / "complex.pdb").write_text((GPCR_FOLDER / "topology.pdb").read_text())
    settings = folder / "settings.yaml"
    settings.write_text(yaml.safe_dump({**SETTINGS, **changes}))
    return settings
