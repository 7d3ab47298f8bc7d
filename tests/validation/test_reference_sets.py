"""The reference sets that are in the repository: whole, readable, and what their manifests say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from openmm_neuralmd.analysis.poses import heavy_molecule
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from openmm_neuralmd.utils.files import sha256

SETS = Path(__file__).parents[2] / "validation" / "reference_sets"
FOLDERS = sorted(path.parent for path in SETS.glob("*/*/topology.pdb"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_a_run_of_a_set(folder: Path) -> None:
    manifest = json.loads((folder.parent / "manifest.json").read_text())
    told = manifest["complexes"][folder.name]
    assert {path.name: sha256(path) for path in folder.iterdir()} == told["files"]
    complex = Complex.from_files(folder / "topology.pdb", sdf=folder / "ligand.sdf")
    snapshots = read_snapshots(folder / "trajectory.xtc", complex, stride=10)
    assert len(snapshots) == told["snapshots"] / 10 and snapshots.breaks == ()
    assert snapshots.interval_ps == pytest.approx(
        10 * told["interval_ps"],
        rel=1e-4,  # OpenMM adds up the times of an XTC file in single precision
    )
    molecule = heavy_molecule(folder / "ligand.sdf", complex.ligand_atomic_numbers)
    assert molecule.GetNumAtoms() == told["ligand_heavy_atoms"] == snapshots.ligand.shape[1]
    if (folder / "labels.npz").is_file():
        labels = np.load(folder / "labels.npz")
        assert labels["forces_kj_mol_nm"].shape == (1000, len(complex.ligand), 3)
        assert np.isfinite(labels["forces_kj_mol_nm"]).all()
        np.testing.assert_array_equal(labels["ligand"], complex.ligand)


def test_the_sets_stay_small() -> None:
    size = sum(path.stat().st_size for path in SETS.rglob("*") if path.is_file())
    assert FOLDERS and size < 40e6
