"""The folder that `neuralmd predict` writes: ligands, a table and a report."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import indent
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
from .ranking import Plan, Summary, in_csv, ranked, table

RECORD = "prediction.json"


SHOWN = 100
"""Ligands on the page, the best ones; the table has all."""


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
    folder: Path, order: Sequence[Summary], load: Callable[[int], LigandPrediction]
) -> None:
    """Write everything in this process; one ligand is in memory at a time.

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
    """
    plan = Plan.of(order, {})
    entries = (write_one(load(number), folder, name, plan.top) for number, name in plan.places)
    write_overview(folder, plan, entries, load)


def write_one(one: LigandPrediction, output: Path, name: str | None, top: float) -> str:
    """Write the files of a ligand, if it has a folder; return its entry in the record.

    The folder gets its name when it is complete.  One that is there is left as it is.
    """
    if name == ".":
        write_ligand(one, output, top)
    elif name is not None and not (output / name).is_dir():
        with complete_folder(output / name) as folder:
            write_ligand(one, folder, top)
    return json.dumps(as_json(one), indent=1)


def write_overview(
    folder: Path, plan: Plan, entries: Iterable[str], load: Callable[[int], LigandPrediction]
) -> None:
    """Write the record, the table and the page, of which the ligands' files are no part.

    Parameters
    ----------
    entries : iterable of str
        Of `write_one`, in the order of the plan; they go to the file one by one.
    load : callable
        The prediction of a number of the summaries, for those on the page.
    """
    rest = {"folders": plan.folders, "failed": dict(plan.failed), "provenance": provenance()}
    with (folder / RECORD).open("w", encoding="utf-8") as file:
        file.write('{\n "ligands": [\n')
        for number, entry in enumerate(entries):
            file.write((",\n" if number else "") + indent(entry, "  "))
        file.write("\n ],\n" + json.dumps(rest, indent=1).removeprefix("{\n") + "\n")
    (folder / "ranking.csv").write_text(table(plan.order), encoding="utf-8")
    shown = [(number, name) for number, name in plan.places if name is not None][:SHOWN]
    page = render(
        [load(number) for number, _ in shown],
        [name for _, name in shown],
        top=plan.top,
        predicted=len(plan.order),
        failed=plan.failed,
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


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
    (folder / "rmsf.csv").write_text(in_csv(header, rows), encoding="utf-8")
    contacts = [
        (c.residue, f"{c.occupancy:.3f}", f"{c.low:.3f}", f"{c.high:.3f}") for c in one.contacts
    ]
    columns = ("residue", "occupancy", "low", "high")
    (folder / "contacts.csv").write_text(in_csv(columns, contacts), encoding="utf-8")
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
    return in_csv(("residue", "atom", "rmsf", "rmsf_low", "rmsf_high", "displacement"), rows)


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
    """Entry of a ligand in the record: everything but its trajectory."""
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
