"""The folder that `neuralmd predict` writes: ligands, a table and a report."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from openmm import app, unit

from ..structure.hydrogens import full_positions
from ..trajectory.snapshots import write_trajectory
from ..units import to_nm
from ..utils.files import complete
from ..utils.provenance import provenance
from ..utils.resume import complete_folder
from .drawing import chart, drawing
from .ensemble import WELLS, LigandPrediction
from .page import render
from .pocket import PocketPrediction

RECORD = "prediction.json"
TABLE_COLUMNS = ("rank", "name", "stays", "stays_low", "stays_high", "rmsf", "displacement")


SHOWN = 100
"""Ligands on the page, the best ones; the table has all."""


@dataclass(frozen=True)
class Summary:
    """A line of the ranking.

    Attributes
    ----------
    number : int
        Place in the SDF, from 0.
    name : str
    stays, stays_low, stays_high : float
    rmsf, displacement : float
        Means over the heavy atoms, Å.
    largest : float
        Largest RMSF, Å.
    """

    number: int
    name: str
    stays: float
    stays_low: float
    stays_high: float
    rmsf: float
    displacement: float
    largest: float

    @classmethod
    def of(cls, number: int, one: LigandPrediction) -> Summary:
        """The line of a prediction."""
        return cls(
            number=number,
            name=one.name,
            stays=one.stays,
            stays_low=one.stays_low,
            stays_high=one.stays_high,
            rmsf=float(one.rmsf.mean()),
            displacement=float(np.linalg.norm(one.displacement, axis=1).mean()),
            largest=float(one.rmsf.max()),
        )


def ranked(summaries: Iterable[Summary]) -> list[Summary]:
    """Sort poses, the likeliest to stay first; among equals those that move less."""
    return sorted(summaries, key=lambda one: (-round(one.stays, 2), one.rmsf, one.number))


def write(predictions: Sequence[LigandPrediction], output: str | Path) -> Path:
    """Write a folder of predictions; it appears under its name only when it is complete.

    Parameters
    ----------
    predictions : sequence of LigandPrediction
    output : path
        See `write_files`.

    Raises
    ------
    InputError
        The folder exists.
    """
    output = Path(output)
    summaries = ranked(Summary.of(k, one) for k, one in enumerate(predictions))
    with complete_folder(output) as partial:
        write_files(partial, summaries, lambda number: predictions[number])
    return output


def write_files(
    folder: Path,
    order: Sequence[Summary],
    load: Callable[[int], LigandPrediction],
    failed: Mapping[str, str] | None = None,
) -> None:
    """Write the table, the report and the files of each ligand; one ligand is in memory at a time.

    Parameters
    ----------
    folder : path
        Gets `report.html`, `ranking.csv`, `prediction.json` and a subfolder for each ligand with
        `trajectory.dcd`, `topology.pdb` (B-factors are RMSF in Å), `rmsf.csv`, `contacts.csv`,
        `pocket.csv` where the pocket moves, `rmsf.svg`, `rmsf.png`.  With one ligand its files are
        in `folder` itself.
    order : sequence of Summary
        Every ligand, as `ranked`.
    load : callable
        The prediction of a number of the summaries.
    failed : mapping of str to str, optional
        Name of each ligand without a prediction, and why.
    """
    alone = len(order) == 1 and not failed
    names = ["." if alone else name for name in folder_names(order)]
    top = max(one.largest for one in order)
    entries: list[dict[str, Any]] = []
    shown: list[LigandPrediction] = []
    for summary, name in zip(order, names, strict=True):
        one = load(summary.number)
        (folder / name).mkdir(exist_ok=True)
        write_ligand(one, folder / name, top)
        entries.append(as_json(one))
        if len(shown) < SHOWN:
            shown.append(one)
    record = {
        "ligands": entries,
        "folders": names,
        "failed": dict(failed or {}),
        "provenance": provenance(),
    }
    (folder / "ranking.csv").write_text(_table(order), encoding="utf-8")
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page = render(shown, names, top=top, predicted=len(order), failed=failed or {})
    (folder / "report.html").write_text(page, encoding="utf-8")


def folder_names(order: Sequence[Summary]) -> list[str]:
    """A folder name for each ligand, in their order: safe characters, unique."""
    names: list[str] = []
    for number, one in enumerate(order, 1):
        safe = re.sub(r"[^\w.-]+", "_", one.name).strip("._")[:60] or "ligand"
        names.append(f"{number:03d}_{safe}")
    return names


def write_ligand(one: LigandPrediction, folder: Path, top: float) -> None:
    """The files of one ligand."""
    positions = all_positions(one)
    write_trajectory(folder / "trajectory.dcd", one.complex, positions, one.interval_ps)
    with complete(folder / "topology.pdb") as path:
        path.write_text(pdb(one), encoding="utf-8")
    rows = [
        (name, *(f"{float(v):.4f}" for v in values))
        for name, *values in zip(
            one.atom_names,
            one.rmsf,
            one.rmsf_low,
            one.rmsf_high,
            np.linalg.norm(one.displacement, axis=1),
        )
    ]
    header = ("atom", "rmsf", "rmsf_low", "rmsf_high", "displacement")
    (folder / "rmsf.csv").write_text(_csv(header, rows), encoding="utf-8")
    contacts = [
        (c.residue, f"{c.occupancy:.3f}", f"{c.low:.3f}", f"{c.high:.3f}") for c in one.contacts
    ]
    columns = ("residue", "occupancy", "low", "high")
    (folder / "contacts.csv").write_text(_csv(columns, contacts), encoding="utf-8")
    if one.pocket is not None:
        (folder / "pocket.csv").write_text(_pocket_table(one.pocket), encoding="utf-8")
    (folder / "rmsf.svg").write_text(drawing(one, top), encoding="utf-8")
    (folder / "rmsf.png").write_bytes(chart(one))


def all_positions(one: LigandPrediction) -> np.ndarray:
    """Positions (S, N, 3) in nm of the complex; residues around the ligand move with it."""
    positions = full_positions(one.complex, one.snapshots)
    if one.pocket is not None:
        positions[:, one.pocket.atoms] = to_nm(one.pocket.snapshots)
    return positions


def _pocket_table(pocket: PocketPrediction) -> str:
    moved = np.linalg.norm(pocket.displacement, axis=1)
    columns = (pocket.rmsf, pocket.rmsf_low, pocket.rmsf_high, moved)
    rows = [
        (residue, name, *(f"{float(v):.4f}" for v in values))
        for residue, name, *values in zip(pocket.residues, pocket.names, *columns)
    ]
    return _csv(("residue", "atom", "rmsf", "rmsf_low", "rmsf_high", "displacement"), rows)


def pdb(one: LigandPrediction) -> str:
    """Protein and ligand at the given pose; the B-factors are RMSF in Å, 0 where atoms stand."""
    text = io.StringIO()
    complex = one.complex
    app.PDBFile.writeModel(complex.topology, complex.positions * unit.nanometer, text, keepIds=True)
    app.PDBFile.writeFooter(complex.topology, text)
    factors = _factors(one)
    lines, number = [], 0
    for line in text.getvalue().splitlines():
        if line.startswith(("ATOM", "HETATM")):
            line = f"{line[:60]}{factors[number]:6.2f}{line[66:]}"
            number += 1
        lines.append(line)
    return "\n".join(lines) + "\n"


def _factors(one: LigandPrediction) -> np.ndarray:
    """RMSF (N,) in Å; a hydrogen of the ligand has that of its heavy atom."""
    atoms = list(one.complex.topology.atoms())
    factors = np.zeros(len(atoms))
    if one.pocket is not None:
        factors[one.pocket.atoms] = one.pocket.rmsf
    value, parent = dict(zip(one.atom_names, one.rmsf.tolist())), _parents(one)
    for i in one.complex.ligand.tolist():
        factors[i] = value.get(parent.get(atoms[i].name, atoms[i].name), 0.0)
    return factors


def _parents(one: LigandPrediction) -> dict[str, str]:
    """Heavy atom of each hydrogen of the ligand, by name."""
    atoms = list(one.complex.topology.atoms())
    names = [atoms[i].name for i in one.complex.ligand.tolist()]
    heavy = set(one.complex.heavy.tolist())
    heavy_of = {}
    for i, j in one.complex.ligand_bonds.tolist():
        for parent, child in ((i, j), (j, i)):
            if parent in heavy and child not in heavy:
                heavy_of[names[child]] = names[parent]
    return heavy_of


def as_json(one: LigandPrediction) -> dict[str, Any]:
    """Write all files except the trajectory."""
    return {
        "name": one.name,
        "smiles": one.smiles,
        "atoms": list(one.atom_names),
        "rmsf_angstrom": _rounded(one.rmsf),
        "rmsf_95_percent": [_rounded(one.rmsf_low), _rounded(one.rmsf_high)],
        "displacement_angstrom": np.round(one.displacement, 4).tolist(),
        "displacement_spread_angstrom": _or_none(one.displacement_uncertainty),
        "stays_within_2_angstrom": one.stays,
        "stays_range": [one.stays_low, one.stays_high],
        "torsions": [
            {"atoms": list(t.atoms), "wells": dict(zip(WELLS, np.round(t.wells, 4).tolist()))}
            for t in one.torsions
        ],
        "contacts": [
            {"residue": c.residue, "occupancy": c.occupancy, "range": [c.low, c.high]}
            for c in one.contacts
        ],
        "pocket": [] if one.pocket is None else [asdict(r) for r in one.pocket.side_chains()],
        "unlike_the_training_set": list(one.unlike),
        "interval_ps": one.interval_ps,
        "snapshots": len(one.snapshots),
    }


def _rounded(values: np.ndarray) -> list[float]:
    rounded: list[float] = np.round(values, 4).tolist()
    return rounded


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)


def _table(order: Sequence[Summary]) -> str:
    rows = [
        (
            str(rank),
            one.name,
            *(f"{v:.3f}" for v in (one.stays, one.stays_low, one.stays_high)),
            f"{one.rmsf:.3f}",
            f"{one.displacement:.3f}",
        )
        for rank, one in enumerate(order, 1)
    ]
    return _csv(TABLE_COLUMNS, rows)


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
