"""Reduce a reference run to what models are trained on: ligand, backbone and labels."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
from openmm import app, unit
from scipy.spatial import cKDTree

from openmm_neuralmd.analysis.statistics import autocorrelation
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.md.folder import LIGAND, SYSTEM
from openmm_neuralmd.md.labels import KEYS
from openmm_neuralmd.md.outcome import PACKED_SYSTEM, RECORD, START, TOPOLOGY
from openmm_neuralmd.md.records import LABELS, open_trajectory
from openmm_neuralmd.md.selection import part_of_topology
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.readers import load
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots
from openmm_neuralmd.utils.files import complete, sha256
from openmm_neuralmd.utils.settings import read_mapping

TRAJECTORY = "trajectory.xtc"
LAGS_PS = (1.0, 10.0, 80.0)


@dataclass(frozen=True)
class Compact:
    """A compact run on disk.

    Attributes
    ----------
    path : Path
    manifest : dict
        What it is: settings, notes, hashes, how much its snapshots remember.
    """

    path: Path
    manifest: dict[str, Any]


def compact(run: str | Path, output: str | Path, reach: float = np.inf, labels: int = 0) -> Compact:
    """Keep the ligand with its hydrogens, and N, CA, C of residues near it.

    Parameters
    ----------
    run : path
        Folder of a finished reference run.
    output : path
        Folder; gets topology.pdb, trajectory.xtc, ligand.sdf, start.pdb.gz (every atom that the run
        wrote, side chains included, as it started) and, if the run has labels, labels.npz with
        single-precision sums over the force groups, and system.xml.gz.
    reach : float
        nm from the ligand to the CA of a residue that is kept.
    labels : int
        Maximum number of labelled snapshots, evenly spaced; 0 for all.

    Raises
    ------
    InputError
        No such run.
    """
    run, output = Path(run), Path(output)
    if not (run / RECORD).is_file():
        raise InputError(f"{run}: no finished reference run (it has no {RECORD})")
    record = read_mapping(run / RECORD, "what neuralmd reference writes")
    complex = Complex.from_files(run / TOPOLOGY, sdf=run / LIGAND)
    source = next(run.glob("trajectory.*"))
    frames = load(source, mdtraj.Topology.from_openmm(complex.topology))
    atoms_near = _kept(complex, reach)
    topology = part_of_topology(complex.topology, atoms_near)
    output.mkdir(parents=True, exist_ok=True)
    with complete(output / TOPOLOGY) as path, path.open("w") as file:
        # Without writeFile's header, which has the date: the same run gives the same file.
        app.PDBFile.writeModel(
            topology, complex.positions[atoms_near] * unit.nanometer, file, keepIds=True
        )
        app.PDBFile.writeFooter(topology, file)
    with (
        complete(output / TRAJECTORY) as path,
        open_trajectory(path, topology, record["interval_ps"]) as writer,
    ):
        for positions in frames.xyz[:, atoms_near]:
            writer.writeModel(positions.astype(float) * unit.nanometer)
    with complete(output / LIGAND) as path:
        path.write_bytes((run / LIGAND).read_bytes())
    with complete(output / START) as path:
        # No time stamp in it: the same run gives the same file.
        path.write_bytes(gzip.compress((run / TOPOLOGY).read_bytes(), mtime=0))
    if (run / LABELS).is_file():
        _save_labels(
            run / LABELS, output / LABELS, np.searchsorted(atoms_near, complex.ligand), labels
        )
        with complete(output / PACKED_SYSTEM) as path:
            path.write_bytes(gzip.compress((run / SYSTEM).read_bytes(), mtime=0))
    return Compact(output, _manifest(output, record, len(atoms_near)))


def _kept(complex: Complex, reach: float) -> np.ndarray:
    """Indices of what stays, increasing."""
    ligand = cKDTree(complex.positions[complex.ligand])
    distance, _ = ligand.query(complex.positions[complex.backbone[:, 1]])
    near = complex.backbone[distance <= reach]
    return np.sort(np.concatenate([near.ravel(), complex.ligand]))


def _save_labels(source: Path, target: Path, ligand: np.ndarray, most: int) -> None:
    with np.load(source, allow_pickle=False) as arrays:
        data = {name: arrays[name] for name in KEYS}
    count = len(data["time_ps"])
    picked = np.arange(count)
    if most and most < count:
        picked = np.round(np.linspace(0, count - 1, most)).astype(int)
    with complete(target) as path:
        np.savez_compressed(
            path,
            groups=data["groups"],
            energies_kj_mol=data["energies_kj_mol"][picked],
            forces_kj_mol_nm=data["forces_kj_mol_nm"][picked].sum(axis=1).astype(np.float32),
            positions_nm=data["positions_nm"][picked].astype(np.float32),
            time_ps=data["time_ps"][picked],
            ligand=ligand,
            atomic_numbers=data["atomic_numbers"],
        )


def _manifest(folder: Path, record: dict[str, Any], atoms: int) -> dict[str, Any]:
    complex = Complex.from_files(folder / TOPOLOGY, sdf=folder / LIGAND)
    snapshots = read_snapshots(folder / TRAJECTORY, complex)
    keys = ("engine", "platform", "complex", "settings", "notes", "interval_ps", "snapshots")
    manifest = {key: record[key] for key in keys}
    return {
        **manifest,
        "atoms": {**record["atoms"], "compact": atoms},
        "residues": complex.n_residues,
        "ligand_heavy_atoms": len(complex.heavy),
        "mean_temperature_k": record["mean_temperature_k"],
        "ns_per_day": record["ns_per_day"],
        "motion": motion(snapshots),
        "files": {path.name: sha256(path) for path in sorted(folder.iterdir())},
        "versions": record["versions"],
        "machine": record["machine"],
    }


def motion(snapshots: Snapshots) -> dict[str, Any]:
    """Measure the ligand's fluctuation and its autocorrelation time.

    Returns
    -------
    dict
        ``spread_angstrom``: per coordinate, over all snapshots; ``from_start_angstrom``: RMSD of
        the mean of each tenth to the first snapshot; ``autocorrelation``: by lag in ps, of the
        second half, which is less of a journey from the prepared pose than the whole.
    """
    ligand, interval = snapshots.ligand, snapshots.interval_ps
    half = ligand[len(ligand) // 2 :]
    lags = {lag: round(lag / interval) for lag in sorted({interval, *LAGS_PS})}
    tenths = [part.mean(axis=0) for part in np.array_split(ligand, 10)]
    away = [float(np.sqrt(((mean - ligand[0]) ** 2).sum(-1).mean())) for mean in tenths]
    return {
        "spread_angstrom": round(float(ligand.std(axis=0).mean()), 3),
        "from_start_angstrom": [round(distance, 2) for distance in away],
        "autocorrelation": {
            f"{lag:.3g} ps": round(autocorrelation(half, steps), 3)
            for lag, steps in lags.items()
            if 1 <= steps < len(half) // 2
        },
    }
