"""The pocket and the ligand's tracks, as compact as the viewer can take them."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from openmm import app, unit
from scipy.spatial import cKDTree

from ..analysis.coordinates import Array
from ..analysis.record import Record
from ..structure.complex import Complex
from ..structure.residues import WATER
from ..units import to_angstrom
from ..utils.times import show_time
from .names import title

POCKET, AROUND = 5.0, 20.0
"""Å from the ligand: of residues shown with all their heavy atoms, and by their backbone."""
STEP = 0.01
"""Å, the resolution of the tracks: 16 bits reach 327 Å from the middle."""
BACKBONE = ("N", "CA", "C", "O")


def scene(
    record: Record, complex: Complex, methods: Sequence[str], interval_ps: float
) -> dict[str, Any]:
    """Data for the viewer, as JSON.

    Parameters
    ----------
    record : Record
    complex : Complex
    methods : sequence of str
        To show, the model first: by its forecasts the median, worst and best are chosen.
    interval_ps : float
        Between snapshots.

    Returns
    -------
    dict
        PDB text of the ``pocket`` and of the ``backbone`` around, relative to the ligand's
        middle; ``atoms`` of the ligand with ``elem`` and ``bonds``; names of the ``tracks``; the
        ``times`` of the snapshots; ``shown``: for each forecast its ``first`` snapshot, ``rmse``
        (Å), and the coordinates of every track as base64 of little-endian int16 in `STEP` Å, the
        last known snapshot first.
    """
    truth = record.truth
    middle = truth.mean((0, 1, 2))
    errors = np.sqrt(np.square(record.rmsd(methods[0])).mean(1))
    forecasts = {method: record.forecasts(method) for method in methods}
    shown = []
    for name, place in record.ranked(methods[0]).items():
        first, origin = list(record.origins.items())[place]
        tracks = [truth[place], *(x[place] for x in forecasts.values())]
        tracks_packed = [packed(np.concatenate([origin.start[None], x]) - middle) for x in tracks]
        shown.append(
            {"name": name, "first": first, "rmse": float(errors[place]), "tracks": tracks_packed}
        )
    return {
        **surroundings(complex, truth.reshape(-1, 3), middle),
        "atoms": ligand_atoms(complex),
        "tracks": ["MD", *map(title, methods)],
        "snapshots": truth.shape[1] + 1,
        "times": [show_time(k * interval_ps) for k in range(truth.shape[1] + 1)],
        "step": STEP,
        "shown": shown,
    }


def packed(x: Array) -> str:
    """Coordinates in Å as base64 of little-endian int16 in `STEP` Å."""
    steps = np.rint(x / STEP)
    limits = np.iinfo("<i2")
    return base64.b64encode(steps.clip(limits.min, limits.max).astype("<i2").tobytes()).decode()


def ligand_atoms(complex: Complex) -> list[dict[str, Any]]:
    """The ligand as 3Dmol.js takes it; bonds are named from both ends."""
    atoms = list(complex.topology.atoms())
    bonds: list[list[int]] = [[] for _ in complex.ligand_sites]
    for i, j in complex.site_bonds.tolist():
        bonds[i].append(j)
        bonds[j].append(i)
    return [
        {"elem": atoms[index].element.symbol, "atom": atoms[index].name, "bonds": mine}
        for index, mine in zip(complex.ligand_sites, bonds, strict=True)
    ]


def surroundings(
    complex: Complex, ligand: Array, middle: Array, moving: Collection[int] = ()
) -> dict[str, str]:
    """Heavy atoms of the residues near anywhere that the ligand goes, and the backbone around.

    Atoms in `moving` have a text of their own and are left out of the pocket.
    """
    positions = to_angstrom(complex.positions)
    distances = cKDTree(ligand).query(positions, distance_upper_bound=AROUND)[0]
    own = int(complex.ligand[0])
    pocket: set[int] = set()
    backbone: set[int] = set()
    for residue in complex.topology.residues():
        atoms = [
            a for a in residue.atoms() if a.element is not None and a.element.atomic_number > 1
        ]
        indices = [atom.index for atom in atoms]
        if residue.name in WATER or own in indices or not indices:
            continue
        near = distances[indices].min()
        if near < POCKET:
            pocket.update(indices)
        if near < AROUND:
            backbone.update(atom.index for atom in atoms if atom.name in BACKBONE)
    centred = positions - middle
    return {
        "pocket": _pdb(complex, centred, pocket - set(moving)),
        "moving": _pdb(complex, centred, set(moving)),
        "backbone": _pdb(complex, centred, backbone),
    }


def _pdb(complex: Complex, positions: Array, kept: set[int]) -> str:
    """Write selected atoms, at positions in Å, as PDB text."""
    model = app.Modeller(complex.topology, positions * unit.angstrom)
    model.delete([atom for atom in model.topology.atoms() if atom.index not in kept])
    text = io.StringIO()
    app.PDBFile.writeFile(model.topology, model.positions, text, keepIds=True)
    lines = text.getvalue().splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith(("ATOM", "HETATM", "TER")))
