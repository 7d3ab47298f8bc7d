"""Stored data of a complex of reference set 'many': sufficient statistics and ligand frames.

`ID.sdf` has the ligand as prepared, `ID.pdb.gz` every other atom of the runs' topology within
`POCKET` of it as prepared, water left out.  Both are in the frame of the runs, whose outer shell
stands still.  `ID.npz` has, with n heavy atoms of the ligand in the order of the SDF, p heavy
atoms of the pocket within `NEAR` of it, R runs:

| array | shape, type | |
| --- | --- | --- |
| `start` | (n, 3) float32, Å | heavy atoms as prepared |
| `mean` | (R, 2, n, 3) float32, Å | mean of each half of each run |
| `second` | (R, 3n, 3n) float32, Å² | covariance of each run |
| `frames` | (R, T, n, 3) int16, 0.001 nm | every snapshot, relative to `start` |
| `interval_ps` | float | between snapshots |
| `pocket` | (p,) int32 | index of each pocket atom in `ID.pdb.gz` |
| `pocket_start`, `pocket_mean` | (p, 3), (R, p, 3) float32, Å | |
| `pocket_covariance` | (R, p, 3, 3) float32, Å² | |
| `contacts` | (R, n, p) uint8, 1/255 | share of snapshots with a distance below 4.5 Å |
"""

from __future__ import annotations

import gzip
from io import StringIO
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import yaml
from openmm import app, unit
from scipy.spatial import cKDTree

from compact import motion
from openmm_neuralmd.md.selection import part_of_topology
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots
from openmm_neuralmd.utils.files import complete

NEAR = 0.8
"""nm from a heavy atom of the ligand to the pocket atoms that have statistics."""
POCKET = 1.2
"""nm from the ligand to the residues whose atoms stand in the PDB."""
CONTACT = 4.5
UNIT = 0.01
"""Å of a step of `frames`."""


def pack(runs: list[Path], folder: Path, target: Path, row: dict[str, str]) -> dict[str, Any]:
    """Write `target`.sdf, .pdb.gz and .npz; the complex's entry in the manifest."""
    complex = Complex.from_files(runs[0] / "topology.pdb", sdf=runs[0] / "ligand.sdf")
    near, shown = _pocket(complex)
    arrays = _statistics(runs, complex, near)
    arrays["pocket"] = np.searchsorted(shown, near).astype(np.int32)
    target.parent.mkdir(parents=True, exist_ok=True)
    with complete(Path(f"{target}.sdf")) as path:
        path.write_bytes((runs[0] / "ligand.sdf").read_bytes())
    with complete(Path(f"{target}.pdb.gz")) as path:
        path.write_bytes(gzip.compress(_pdb(complex, shown).encode(), mtime=0))
    with complete(Path(f"{target}.npz")) as path, path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return _manifest(runs, folder, complex, row)


def _pocket(complex: Complex) -> tuple[np.ndarray, np.ndarray]:
    """Particles whose statistics are kept, and those that the PDB shows; both increasing."""
    atoms = list(complex.topology.atoms())
    ligand = set(complex.ligand.tolist())
    tree = cKDTree(complex.positions[complex.ligand_heavy])
    distance, _ = tree.query(complex.positions)
    heavy = np.array([atom.element.symbol != "H" for atom in atoms])
    other = np.array([atom.index not in ligand for atom in atoms])
    near = np.flatnonzero((distance <= NEAR) & heavy & other)
    inside = {atoms[i].residue.index for i in np.flatnonzero((distance <= POCKET) & other)}
    residues = np.array([atom.residue.index in inside for atom in atoms])
    return near, np.flatnonzero(residues & other)


def _statistics(runs: list[Path], complex: Complex, near: np.ndarray) -> dict[str, Any]:
    heavy = complex.ligand_heavy
    start = 10 * complex.positions[heavy]
    parts: dict[str, list[np.ndarray]] = {}
    for run in runs:
        coordinates = mdtraj.load(str(run / "trajectory.xtc"), top=str(run / "topology.pdb")).xyz
        ligand, pocket = 10.0 * coordinates[:, heavy], 10.0 * coordinates[:, near]
        flat = ligand.reshape(len(ligand), -1).astype(np.float64)
        centred = pocket - pocket.mean(axis=0)
        distances = np.linalg.norm(ligand[:, :, None] - pocket[:, None], axis=-1)
        one = {
            "mean": np.stack([half.mean(axis=0) for half in np.array_split(ligand, 2)]),
            "second": np.cov(flat.T, bias=True),
            "frames": np.round((ligand - start) / UNIT).astype(np.int16),
            "pocket_mean": pocket.mean(axis=0),
            "pocket_covariance": np.einsum("tpi,tpj->pij", centred, centred) / len(pocket),
            "contacts": np.round(255 * (distances < CONTACT).mean(axis=0)).astype(np.uint8),
        }
        for key, value in one.items():
            stored = value if value.dtype.kind in "iu" else value.astype(np.float32)
            parts.setdefault(key, []).append(stored)
    interval = yaml.safe_load((runs[0] / "run.yaml").read_text())["interval_ps"]
    return {
        **{key: np.stack(values) for key, values in parts.items()},
        "start": start.astype(np.float32),
        "pocket_start": (10 * complex.positions[near]).astype(np.float32),
        "interval_ps": np.float64(interval),
    }


def _pdb(complex: Complex, atoms: np.ndarray) -> str:
    """Write a PDB without writeFile's header, whose date would make equal runs differ."""
    text, topology = StringIO(), part_of_topology(complex.topology, atoms)
    app.PDBFile.writeModel(topology, complex.positions[atoms] * unit.nanometer, text, keepIds=True)
    app.PDBFile.writeFooter(topology, text)
    return text.getvalue()


def _manifest(
    runs: list[Path], folder: Path, complex: Complex, row: dict[str, str]
) -> dict[str, Any]:
    records = [yaml.safe_load((run / "run.yaml").read_text()) for run in runs]
    prepared = yaml.safe_load((folder / "complex.yaml").read_text())
    snapshots: list[Snapshots] = [read_snapshots(run / "trajectory.xtc", complex) for run in runs]
    return {
        "target": row["target"],
        "split": row["split"],
        "family": row["family"],
        "source": f"{row['source']} ({row['commit'][:12]})",
        "licence": row["licence"],
        "ligand": {key: prepared["ligand"][key] for key in ("molecule", "smiles", "charge")},
        "parameters": prepared["parameters"],
        "notes": [*prepared["notes"], *records[0]["notes"]],
        "platform": records[0]["platform"],
        "settings": records[0]["settings"],
        "seeds": [record["settings"]["seed"] for record in records],
        "ns_per_day": [record["ns_per_day"] for record in records],
        "atoms": records[0]["atoms"],
        "motion": [motion(one) for one in snapshots],
        "machine": records[0]["machine"],
    }
