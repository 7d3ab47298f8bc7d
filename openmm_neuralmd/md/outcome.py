"""Result of a finished reference run, the same for every engine."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import yaml
from openmm import app, unit

from ..utils.files import complete
from ..utils.provenance import provenance
from ..utils.resume import PartialRun
from .folder import LIGAND, SYSTEM, ComplexFolder
from .modes import Setup
from .settings import MDSettings

TOPOLOGY, ENERGIES, RECORD = "topology.pdb", "energies.csv", "run.yaml"
COLUMNS = ("time_ps", "potential_kj_mol", "kinetic_kj_mol", "temperature_k", "volume_nm3")
"""Of energies.csv; the last one where there is a box."""
START, PACKED_SYSTEM = "start.pdb.gz", "system.xml.gz"
"""Files of a run in a reference set, which replace topology.pdb and system.xml."""


@dataclass(frozen=True)
class ReferenceRun:
    """Files and averages of a finished reference run.

    Attributes
    ----------
    path : Path
        Its folder.
    trajectory, topology : Path
        In it, and matching atom for atom.
    snapshots, resumed_from : int
        How many there are, and how many of them an interrupted run had made.
    seconds : float
        Wall time of the snapshots made now.
    ns_per_day : float
        Of those; not a number when there were none.
    temperature : float
        Mean over all snapshots, K.
    """

    path: Path
    trajectory: Path
    topology: Path
    snapshots: int
    resumed_from: int
    seconds: float
    ns_per_day: float
    temperature: float


def identity(folder: ComplexFolder, settings: MDSettings, engine: str) -> str:
    """SHA-256 of everything that decides the trajectory, its length excepted."""
    decisive = {"files": folder.record["files"], "settings": asdict(settings), "engine": engine}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def summary(
    output: Path, settings: MDSettings, energies: Path, total: int, first: int, seconds: float
) -> ReferenceRun:
    """Count the snapshots, and average what was measured.

    Parameters
    ----------
    output : Path
        The run's final folder.
    settings : MDSettings
    energies : Path
        energies.csv, where it is now.
    total, first : int
        Snapshots, and those that were there before.
    seconds : float
        Wall time of the others.
    """
    with energies.open(newline="") as file:
        temperatures = [float(row["temperature_k"]) for row in csv.DictReader(file)]
    new = total - first
    return ReferenceRun(
        path=output,
        trajectory=output / f"trajectory.{settings.format}",
        topology=output / TOPOLOGY,
        snapshots=total,
        resumed_from=first,
        seconds=seconds,
        ns_per_day=new * settings.interval_ps / seconds * 86.4 if new else float("nan"),
        temperature=float(np.mean(temperatures)),
    )


def record(
    folder: ComplexFolder,
    setup: Setup,
    settings: MDSettings,
    written: np.ndarray,
    run: ReferenceRun,
    engine: dict[str, Any],
) -> dict[str, Any]:
    """Content of run.yaml.

    Parameters
    ----------
    folder, setup, settings, run
    written : (W,) int64
        Particles in the trajectory.
    engine : dict
        Its name, and what it ran on.
    """
    return {
        **engine,
        "complex": {
            "name": folder.name,
            "solvent": folder.solvent,
            "files": folder.record["files"],
        },
        "settings": asdict(settings),
        "atoms": {**setup.counts(), "written": len(written)},
        "force_groups": list(setup.groups),
        "notes": list(setup.notes),
        "interval_ps": settings.interval_ps,
        "snapshots": run.snapshots,
        "resumed_from": run.resumed_from,
        "seconds": round(run.seconds, 3),
        "ns_per_day": round(run.ns_per_day, 3) if run.snapshots > run.resumed_from else None,
        "mean_temperature_k": round(run.temperature, 2),
        **provenance(),
    }


def publish(
    partial: PartialRun,
    setup: Setup,
    topology: app.Topology,
    written: np.ndarray,
    content: dict[str, Any],
    folder: ComplexFolder,
) -> None:
    """Write what is written once; then the folder gets its final name.

    Parameters
    ----------
    partial, setup, folder
    topology : Topology
        Of `written`.
    written : (W,) int64
        Particles in the trajectory.
    content : dict
        For run.yaml.
    """
    with complete(partial.run / TOPOLOGY) as temporary, temporary.open("w") as file:
        positions = setup.complex.positions[written] * unit.nanometer
        app.PDBFile.writeFile(topology, positions, file, keepIds=True)
    with complete(partial.run / SYSTEM) as temporary:
        temporary.write_text(openmm.XmlSerializer.serialize(setup.system))
    with complete(partial.run / LIGAND) as temporary:
        temporary.write_bytes((folder.path / LIGAND).read_bytes())
    with complete(partial.run / RECORD) as temporary:
        temporary.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    partial.publish()
