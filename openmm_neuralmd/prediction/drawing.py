"""Pictures of a prediction: the ligand in 2D coloured by RMSF, and RMSF with its interval."""

from __future__ import annotations

import io
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from rdkit import Chem
from rdkit.Chem.Draw import rdMolDraw2D

from .ensemble import LigandPrediction

COLOURS = "viridis"
SIZE = (520, 400)


def drawing(one: LigandPrediction, top: float, size: tuple[int, int] = SIZE) -> str:
    """The ligand's 2D structure as SVG, each heavy atom coloured from 0 to `top` Å of RMSF."""
    molecule = Chem.RemoveHs(one.molecule)
    molecule.RemoveAllConformers()
    scale = matplotlib.colormaps[COLOURS]
    values = dict(enumerate(one.rmsf.tolist()))
    colours = {i: tuple(map(float, scale(v / top)[:3])) for i, v in values.items()}
    canvas = rdMolDraw2D.MolDraw2DSVG(*size)
    options: Any = canvas.drawOptions()
    options.fillHighlights = True
    options.highlightRadius = 0.35
    for i, value in values.items():
        molecule.GetAtomWithIdx(i).SetProp("atomNote", f"{value:.1f}")
    rdMolDraw2D.PrepareAndDrawMolecule(
        canvas,
        molecule,
        highlightAtoms=list(colours),
        highlightAtomColors=colours,
        highlightBonds=[],
    )
    canvas.FinishDrawing()
    text: str = canvas.GetDrawingText()
    return text[text.index("<svg") :]


def chart(one: LigandPrediction, truth: np.ndarray | None = None) -> bytes:
    """RMSF of each heavy atom with its 95 % interval as PNG; beside that of MD where given."""
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    axes = figure.add_subplot()
    place = np.arange(len(one.rmsf))
    axes.fill_between(place, one.rmsf_low, one.rmsf_high, alpha=0.25, label="95 % interval")
    axes.plot(place, one.rmsf, marker="o", ms=3, label="predicted")
    if truth is not None:
        axes.plot(place, truth, color="black", marker="s", ms=3, lw=1, label="MD")
    axes.set_xticks(place, one.atom_names, rotation=90, fontsize=7)
    axes.set(ylabel="RMSF, Å", ylim=(0, None))
    axes.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, metadata={"Software": None})
    return buffer.getvalue()
