"""The reference sets that are in the repository: whole, readable, and what their manifests say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

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
    every = [path for path in SETS.rglob("*") if path.is_file()]
    packed = sum(path.stat().st_size for path in every if path.parent.name in ("many", "decoys"))
    assert FOLDERS and sum(path.stat().st_size for path in every) - packed < 40e6
    assert packed < 32e6


MANY = SETS / "many"
PACKED = sorted(path.stem for path in MANY.glob("*.npz"))


@pytest.mark.parametrize("name", PACKED)
def test_a_complex_of_set_many(name: str) -> None:
    """Whole, as its manifest says, and its statistics are those of its frames."""
    entry = json.loads((MANY / "manifest.json").read_text())["complexes"][name]
    files = sorted(path for path in MANY.glob(f"{name}.*"))
    assert {path.name: sha256(path) for path in files} == entry["files"]
    molecule = Chem.MolFromMolFile(str(MANY / f"{name}.sdf"))
    arrays = np.load(MANY / f"{name}.npz")
    start, frames = arrays["start"], arrays["start"] + 0.01 * arrays["frames"]
    assert frames.shape == (2, 500, molecule.GetNumHeavyAtoms(), 3)
    np.testing.assert_allclose(molecule.GetConformer().GetPositions(), start, atol=2e-3)
    halves = np.array_split(frames, 2, axis=1)
    means = np.stack([half.mean(axis=1) for half in halves], axis=1)
    np.testing.assert_allclose(arrays["mean"], means, atol=0.01)
    for run, second in zip(frames, arrays["second"]):
        flat = run.reshape(len(run), -1)
        np.testing.assert_allclose(second, np.cov(flat.T, bias=True), atol=0.01)
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
    i, j = np.array(bonds).T
    lengths = np.linalg.norm(frames[..., i, :] - frames[..., j, :], axis=-1)
    assert lengths.min() > 1.0 and lengths.max() < 2.5  # carbon and iodine
    assert entry["split"] in ("train", "validation", "test")


def test_failures_of_set_many_have_a_reason() -> None:
    failures = json.loads((MANY / "failures.json").read_text())
    assert all(isinstance(reason, str) and reason for reason in failures.values())
    assert not set(failures) & set(PACKED)
