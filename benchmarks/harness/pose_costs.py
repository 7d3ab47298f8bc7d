"""Cost of a prediction from one structure, by the size of the ligand and of its pocket."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openmm_neuralmd.bindingnet.pocket import pocket_atoms
from openmm_neuralmd.prediction.ensemble import LigandPrediction
from openmm_neuralmd.prediction.outputs import write_one, write_overview
from openmm_neuralmd.prediction.ranking import Plan, Summary
from openmm_neuralmd.prediction.run import Request
from openmm_neuralmd.prediction.stored import restore, store
from openmm_neuralmd.units import to_angstrom

from . import race
from .cost_model import fitted
from .network_costs import request, spread_out

MB = 1e6
LINES = 1000
"""Ligands of the table and record that are timed."""


def measured(count: int, repeats: int) -> dict[str, Any]:
    """Costs of each pose, and the cost model of a prediction."""
    with tempfile.TemporaryDirectory() as folder:
        names = spread_out(count)
        rows = [sizes_of(name, request(name)) for name in names]
        calls: dict[str, Callable[[], Any]] = {}
        for name in names:
            calls |= calls_of(name, request(name), Path(folder))
        calls |= record(names[0], request(names[0]), Path(folder))
        times = race(calls, repeats, least_ms=1.0, seconds=30.0, clock=time.process_time)
        for row in rows:
            name = row["complex"]
            row["ms"] = times[f"{name} predict"]["median"]
            row["write_ms"] = times[f"{name} write"]["median"]
            row["stored_mb"] = (Path(folder) / f"{name}.npz").stat().st_size / MB
            row["written_mb"] = megabytes(Path(folder) / name)
    return {
        "poses": rows,
        "record_ms": times[f"{names[0]} record"]["median"] / LINES,
        "model": fitted([row["sizes"] for row in rows], [row["ms"] for row in rows]).as_json(),
    }


def sizes_of(name: str, asked: Request) -> dict[str, Any]:
    """Heavy atoms of a ligand, and of its pocket."""
    complex = asked.complex(asked.ligand(0))
    positions = to_angstrom(complex.positions)
    pocket = pocket_atoms(complex.topology, positions, positions[complex.ligand_heavy])
    sizes = {
        "pose": 1.0,
        "heavy atoms": float(len(complex.ligand_heavy)),
        "pocket atoms": float(len(pocket.atoms)),
    }
    return {"complex": name, "sizes": sizes}


def calls_of(name: str, asked: Request, folder: Path) -> dict[str, Callable[[], Any]]:
    """Predict and keep, as a worker does; read back and write, as the one process at the end does.

    The protein, the SDF and the model are read before.
    """
    file, target = folder / f"{name}.npz", folder / name
    target.mkdir()
    _ = asked.network, asked.structure

    def predict() -> None:
        store(asked.predict(asked.ligand(0)), file)

    def write() -> None:
        ligand = asked.ligand(0)
        one = restore(file, asked.complex(ligand), ligand)
        write_one(one, target, ".", float(one.rmsf.max()))

    return {f"{name} predict": predict, f"{name} write": write}


def record(name: str, asked: Request, folder: Path) -> dict[str, Callable[[], Any]]:
    """Write table and record of `LINES` ligands, as the one process does that collects them."""
    one = asked.predict(asked.ligand(0))
    entry = write_one(one, folder, None, 1.0)
    plan = Plan.of([Summary.of(k, one) for k in range(LINES)], {}, files=0)
    return {f"{name} record": lambda: write_overview(folder, plan, [entry] * LINES, _no_file)}


def _no_file(number: int) -> LigandPrediction:
    raise AssertionError(f"ligand {number} is on no page")


def megabytes(folder: Path) -> float:
    """Size of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MB
