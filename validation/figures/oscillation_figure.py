"""The figure of a ligand's oscillation: RMSF over time, interactions, torsions."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from figures.curves import TEXT_SIZE, draw_rmsf, finish, line_styles, save_png
from figures.oscillation import Oscillation
from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.analysis.ensemble import TORSION_EDGES
from openmm_neuralmd.analysis.interactions import Occupancies

INTERACTIONS = 10
"""Drawn: those that the truth makes most."""
TORSIONS = 4
"""Drawn: those that are spread most in the truth."""
MARKS = ("o", "s", "^", "D", "v", "P", "X")


def draw_occupancies(
    axes: Axes, truth: Occupancies, others: Mapping[str, Occupancies], most: int = INTERACTIONS
) -> None:
    """Draw the occupancy of the truth's interactions, one row each, one mark a method."""
    shown = sorted(truth, key=lambda key: (-truth[key], key))[:most]
    rows = np.arange(len(shown))
    beside = np.linspace(-0.3, 0.3, len(others) + 1)  # marks of equal values side by side
    every = zip(line_styles(truth, others), MARKS, beside, strict=False)
    for (name, occupancy, style), mark, offset in every:
        values = [100 * occupancy.get(key, 0.0) for key in shown]
        look = {"color": style["color"], "markersize": 3.5, "clip_on": False, "zorder": 3}
        axes.plot(values, rows + offset, mark, label=name, **look)
    axes.set_yticks(rows, [f"{residue} {kind}" for residue, kind in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("Snapshots with the interaction (%)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=TEXT_SIZE - 1)
    axes.xaxis.label.set_fontsize(TEXT_SIZE + 1)


def draw_torsion(axes: Axes, truth: Array, others: Mapping[str, Array], title: str) -> None:
    """Share of the snapshots (bins,) at each angle, the truth filled.

    The axis is the truth's: the spike of a forecast that stands still leaves it.
    """
    for name, share, style in line_styles(truth, others):
        if name == "truth":
            axes.stairs(100 * share, TORSION_EDGES, fill=True, color="#000000", alpha=0.15)
        axes.stairs(
            100 * share, TORSION_EDGES, label=name, **{**style, "linewidth": 1.0, "clip_on": True}
        )
    axes.set_xlim(-180, 180)
    axes.set_xticks([-180, 0, 180])
    finish(axes)
    axes.set_ylim(0, 125 * truth.max())
    axes.set_title(title, fontsize=TEXT_SIZE, loc="left")
    axes.tick_params(labelsize=TEXT_SIZE - 1)


def most_spread(histograms: Array, most: int = TORSIONS) -> list[int]:
    """Torsions whose angles are spread most, by the entropy of their histogram (K, bins)."""
    terms = histograms * np.log(np.where(histograms > 0, histograms, 1.0))
    return [int(k) for k in np.argsort(terms.sum(1), kind="stable")[:most]]


def oscillation_figure(
    path: str | os.PathLike[str],
    *,
    title: str,
    truth: ArrayLike,
    futures: Mapping[str, ArrayLike],
    measured: Mapping[str, Oscillation],
    quadruples: NDArray[np.int64],
    names: Sequence[str],
    first: int = 1,
) -> Path:
    """Draw RMSF-ligand over time, interactions and torsions into one PNG.

    Parameters
    ----------
    path : path
        Its folder must exist.
    title : str
    truth : array (S, n, 3)
        Å.
    futures : mapping of str to array (R, S, n, 3)
        At most six methods.
    measured : mapping of str to Oscillation
        Of 'truth' and of every method.
    quadruples : array (K, 4)
        The torsions.
    names : sequence of str
        Of the atoms.
    first : int
        Number of the first snapshot.
    """
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, hspace=0.05, wspace=0.04)
    figure = Figure(figsize=(7.2, 6.6), dpi=200, layout=layout)
    grid = figure.add_gridspec(2, 2, height_ratios=[1, 1.15])
    above = figure.add_subplot(grid[0, :])
    draw_rmsf(above, truth, futures, first=first)
    methods = {name: own for name, own in measured.items() if name != "truth"}
    left = figure.add_subplot(grid[1, 0])
    occupancy = measured["truth"].occupancy
    if occupancy is None:
        left.set_axis_off()
    else:
        draw_occupancies(left, occupancy, {k: m.occupancy or {} for k, m in methods.items()})
    right = grid[1, 1].subgridspec(2, 2)
    chosen = most_spread(measured["truth"].histograms)
    for place, k in enumerate(chosen):
        axes = figure.add_subplot(right[place])
        others = {name: own.histograms[k] for name, own in methods.items()}
        label = "–".join(names[i] for i in quadruples[k])
        draw_torsion(axes, measured["truth"].histograms[k], others, label)
        if place % 2 == 0:
            axes.set_ylabel("Snapshots (%)", fontsize=TEXT_SIZE)
        if place >= len(chosen) - 2:
            axes.set_xlabel("Torsion (°)", fontsize=TEXT_SIZE)
    _legend(figure, above, list(methods))
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return save_png(figure, path)


def _legend(figure: Figure, above: Axes, methods: Sequence[str]) -> None:
    """Lines of the curves with the marks of the interactions."""
    handles, labels = above.get_legend_handles_labels()
    styles = line_styles("", dict.fromkeys(methods, ""))
    marked = {
        name: Line2D([], [], marker=mark, markersize=4, **style)
        for (name, _, style), mark in zip(styles, MARKS, strict=False)
    }
    both = [marked.get(label, handle) for handle, label in zip(handles, labels, strict=True)]
    look: dict[str, Any] = {
        "ncols": 3,
        "frameon": False,
        "fontsize": TEXT_SIZE,
        "handlelength": 4.0,
    }
    figure.legend(both, labels, loc="outside lower center", **look)
