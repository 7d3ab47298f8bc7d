"""`report.html` of a prediction: one file that fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..report.scene import STEP, ligand_atoms, packed, surroundings
from ..utils.times import show_time
from .drawing import chart, drawing
from .ensemble import WELLS, LigandPrediction

CONTACTS = 12
"""Contacts and side chains of each ligand that the page lists."""
ENVIRONMENT = Environment(
    loader=PackageLoader("openmm_neuralmd.prediction"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(
    predictions: Sequence[LigandPrediction],
    folders: Sequence[str],
    *,
    top: float,
    predicted: int,
    failed: Mapping[str, str],
) -> str:
    """The page as HTML.

    Parameters
    ----------
    predictions : sequence of LigandPrediction
        The ligands to show, in their ranked order.
    folders : sequence of str
        Of each, '.' for the page's own.
    top : float
        RMSF in Å at the end of the colour scale, one for all ligands.
    predicted : int
        Number of ligands in the table.
    failed : mapping of str to str
        Ligands without a prediction, and why.
    """
    ligands = [
        {
            "one": one,
            "folder": "" if folder == "." else f"{folder}/",
            "drawing": Markup(drawing(one, top)),
            "small": Markup(drawing(one, top, (240, 180))),
            "chart": base64.b64encode(chart(one)).decode(),
        }
        for one, folder in zip(predictions, folders)
    ]
    page: str = ENVIRONMENT.get_template("prediction.html").render(
        ligands=ligands,
        wells=WELLS,
        contacts=CONTACTS,
        top=top,
        predicted=predicted,
        failed=failed,
        scenes=[scene(one) for one in predictions],
        viewer=_asset("report", "assets", "3Dmol-min.js"),
        licence=str(_asset("report", "assets", "3Dmol.LICENSE")),
        style=_asset("prediction", "templates", "prediction.css"),
        script=_asset("prediction", "templates", "prediction.js"),
    )
    return page


def _asset(*place: str) -> Markup:
    """Read a file of this package, to be inserted into the page."""
    file = resources.files("openmm_neuralmd").joinpath(*place)
    return Markup(file.read_text(encoding="utf-8"))


SHOWN = 100
"""Snapshots of each ligand that the page holds; the trajectory file has all."""


def scene(one: LigandPrediction) -> dict[str, Any]:
    """Data for the viewer, as JSON.

    Returns
    -------
    dict
        PDB text of the ``pocket`` and of the ``backbone`` around, relative to the ligand's middle;
        ``atoms`` of the ligand with ``elem`` and ``bonds``; ``times`` of the snapshots, the given
        pose first; ``track``, their coordinates as `report.scene.packed` writes them in ``step`` Å;
        PDB text of the atoms ``moving`` with the ligand, and their coordinates ``around``.
    """
    chosen = one.snapshots[:SHOWN]
    middle = one.pose.mean(0)
    snapshots = np.concatenate([one.pose[None], chosen])
    times = [show_time(one.interval_ps * k) for k in range(1, len(snapshots))]
    moving, around = np.zeros(0, dtype=np.int64), np.zeros((len(snapshots), 0, 3))
    if one.pocket is not None:
        moving = one.pocket.atoms
        around = np.concatenate([one.pocket.start[None], one.pocket.snapshots[:SHOWN]])
    return {
        **surroundings(one.complex, snapshots.reshape(-1, 3), middle, moving.tolist()),
        "around": packed(around - middle),
        "atoms": ligand_atoms(one.complex),
        "times": ["given pose", *times],
        "track": packed(snapshots - middle),
        "step": STEP,
    }
