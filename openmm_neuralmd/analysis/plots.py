"""Figures of a report: how the ligand fluctuates, how far it goes, and its table of metrics.

Everything is drawn with matplotlib's object interface on the Agg canvas: no display, no global
state, safe in threads and in a test.  Colours are Okabe and Ito's, which colour-blind readers
can tell apart; every curve also has its own dashes.
"""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import ArrayLike

from ..errors import InputError
from ..utils.files import complete
from ..utils.times import time_scale
from .fluctuation import WINDOW, displacement, ensemble_windows

Drawn = TypeVar("Drawn")
CURVES_INCHES = 3.9
TRUTH_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, in the order in which curves take them; yellow is too pale for lines."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (2.5, 1.2)), (0, (8, 2)))


def draw_rmsf(
    axes: Axes,
    truth: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    *,
    first: int = 1,
    window: int = WINDOW,
) -> None:
    """RMSF-ligand in sliding windows (the paper's Fig. 3): truth in black, one line a forecast.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    truth : array (S, n, 3)
        True snapshots, Å.
    predictions : mapping of str to array (S, n, 3) or (R, S, n, 3)
        Forecasts of the same snapshots by the names to show; of several futures the mean of their
        curves.
    first : int
        Number of the first snapshot; a window is drawn over the middle of its snapshots.
    window : int
        Snapshots in a window.
    """
    still = False
    for name, x, style in line_styles(truth, predictions):
        windows = ensemble_windows(x, window)
        middle = first + (window - 1) / 2 + np.arange(len(windows))
        axes.plot(middle, windows.mean(1), label=name, **style)
        if name == "truth":  # spread over the atoms, of the truth only: more would hide the curves
            low, high = np.percentile(windows, [25, 75], axis=1)
            shade: dict[str, Any] = {"color": TRUTH_COLOUR, "alpha": 0.10, "linewidth": 0}
            axes.fill_between(middle, low, high, label="truth, middle half of the atoms", **shade)
        elif windows.max() < 1e-6:
            still = True
    if still:
        axes.annotate(
            "forecasts that stand still",
            (1, 0),
            (0, 4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            color="#555555",
            size=TEXT_SIZE - 1,
        )
    axes.set_xlabel("Snapshot")
    axes.set_ylabel(f"RMSF-ligand over {window} snapshots (Å)")
    finish(axes)


def draw_displacement(
    axes: Axes,
    truth: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    start: ArrayLike,
    *,
    interval_ps: float,
) -> None:
    """How far the ligand is from where it started, in the protein's frame, over time.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    truth, predictions
        As in `draw_rmsf`.
    start : array (n, 3)
        The last known snapshot, Å: the zero of time and of the distance.
    interval_ps : float
        Time between snapshots, ps.
    """
    scale, unit = time_scale(interval_ps * len(np.asarray(truth)))
    for name, x, style in line_styles(truth, predictions):
        distance = np.concatenate([[0.0], displacement(x, start)])
        axes.plot(scale * interval_ps * np.arange(len(distance)), distance, label=name, **style)
    axes.set_xlabel(f"Time ahead ({unit})")
    axes.set_ylabel("RMSD to the start (Å)")
    axes.set_xlim(left=0)
    finish(axes)


def report_figure(
    path: str | os.PathLike[str],
    *,
    title: str,
    truth: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    start: ArrayLike,
    interval_ps: float,
    table: Mapping[str, Mapping[str, Value]],
    first: int = 1,
    footnote: str = "",
) -> Path:
    """Draw fluctuations, displacement and metric table into one PNG.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : path
        The PNG to write; its folder must exist.
    title : str
        Complex, model, what was forecast.
    truth, predictions, start, interval_ps, first
        As in `draw_rmsf` and `draw_displacement`.
    table, footnote
        As in `draw_table`.

    Returns
    -------
    Path
        Where the figure is.
    """
    height = table_inches(len(table), footnote) + 0.15
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, hspace=0.04, wspace=0.04)
    figure = Figure(figsize=(7.2, CURVES_INCHES + height), dpi=200, layout=layout)
    grid = figure.add_gridspec(2, 1, height_ratios=[CURVES_INCHES, height])
    curves, below = figure.add_subfigure(grid[0]), figure.add_subfigure(grid[1])
    left, right = curves.subplots(1, 2)
    draw_rmsf(left, truth, predictions, first=first)
    draw_displacement(right, truth, predictions, start, interval_ps=interval_ps)
    for letter, axes in zip("ab", (left, right), strict=True):
        axes.set_title(letter, loc="left", fontweight="bold", fontsize=10)
    handles, labels = left.get_legend_handles_labels()
    columns = math.ceil(len(labels) / math.ceil(len(labels) / 4))
    curves.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=TEXT_SIZE,
        handlelength=3.2,
    )
    curves.suptitle(title, fontsize=10, x=0.01, ha="left")
    draw_table(below.subplots(), table, footnote=footnote)
    return save_png(figure, path)


def save_png(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure, which appears under its name only when it is complete.

    Raises
    ------
    InputError
        The folder does not exist.
    """
    target = Path(path)
    if not target.parent.is_dir():
        raise InputError(f"Cannot write {target}: the folder {target.parent} does not exist.")
    with complete(target) as partial:
        FigureCanvasAgg(figure).print_png(partial)
    return target


def line_styles(
    truth: Drawn, predictions: Mapping[str, Drawn]
) -> Iterator[tuple[str, Drawn, dict[str, Any]]]:
    """Name, what is to be drawn, and line style of every method, the truth first."""
    if len(predictions) > len(COLOURS):
        raise InputError(
            f"{len(predictions)} forecasts in one figure cannot be told apart: draw at most "
            f"{len(COLOURS)}."
        )
    yield "truth", truth, {"color": TRUTH_COLOUR, "linewidth": 1.8, "clip_on": False}
    styles = zip(COLOURS, DASHES, strict=True)
    for (name, x), (colour, dash) in zip(predictions.items(), styles, strict=False):
        yield name, x, {"color": colour, "linestyle": dash, "linewidth": 1.4, "clip_on": False}


def finish(axes: Axes) -> None:
    """What all panels share: from zero, two spines, a faint grid."""
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=TEXT_SIZE)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(TEXT_SIZE + 1)


TEXT_SIZE = 8
"""Points."""
ROW_INCHES = 0.235
HEADER, NOTE_LINE = 1.7, 0.65
"""Heights of the header and of a line of the footnote, in rows."""
FOOTNOTE_WIDTH = 124
"""Characters in a line of the footnote, for a figure 7 inches wide."""


class Column(NamedTuple):
    """A column of the metric table."""

    key: str
    """The metric's name in `openmm_neuralmd.analysis.metrics.metrics_table`."""
    title: str
    best: int
    """+1 if more is better, −1 if less is, 0 if no row is to be marked."""
    decimals: int


COLUMNS = (
    Column("mae", "MAE\n(Å)", -1, 2),
    Column("rmse", "RMSE\n(Å)", -1, 2),
    Column("matching", "Matching\n(Å)", -1, 2),
    Column("stability", "Stability\n(%)", +1, 1),
    Column("bond_angle_validity", "Valid\n(%)", +1, 0),
    Column("rmsf", "RMSF-ligand\n(Å)", 0, 2),
)
"""Columns of the report's table; those that no row has are left out."""

Value = float | tuple[float, float]
"""A figure, or a figure and its spread."""


def draw_table(
    axes: Axes,
    rows: Mapping[str, Mapping[str, Value]],
    columns: Sequence[Column] = COLUMNS,
    *,
    footnote: str = "",
) -> None:
    """Metrics as a table, rules above and below, the best figure of a column in bold.

    Parameters
    ----------
    axes : Axes
        Where to draw; its frame is switched off.
    rows : mapping of str to mapping of str to float or (float, float)
        For each method its metrics by name; a pair is a figure and its spread, set as '± spread'.
    columns : sequence of Column
        What to show, in order; a metric that no row has is left out.
    footnote : str
        What the spread is, how many origins, …
    """
    if not rows:
        raise InputError("A table needs at least one row of metrics.")
    columns = [column for column in columns if any(column.key in row for row in rows.values())]
    notes = textwrap.wrap(footnote, FOOTNOTE_WIDTH)
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.5 + len(notes) * NOTE_LINE, -HEADER - 0.5)
    left = 0.24
    centres = left + (1 - left) * (np.arange(len(columns)) + 0.5) / max(len(columns), 1)
    for height, width in ((-HEADER - 0.5, 1.2), (-0.5, 0.7), (len(rows) - 0.5, 1.2)):
        axes.plot([0, 1], [height, height], color="black", linewidth=width, clip_on=False)
    for centre, column in zip(centres, columns, strict=True):
        for y, line in zip((-1.45, -0.75), column.title.split("\n"), strict=False):
            axes.text(centre, y, line, ha="center", va="baseline", size=TEXT_SIZE)
    best = {column: best_rows(rows, column) for column in columns}
    for y, (name, row) in enumerate(rows.items()):
        axes.text(0.005, y, name, ha="left", va="center", size=TEXT_SIZE)
        for centre, column in zip(centres, columns, strict=True):
            weight = "bold" if name in best[column] else "normal"
            text = cell_text(row.get(column.key), column.decimals)
            axes.text(centre, y, text, ha="center", va="center", fontweight=weight, size=TEXT_SIZE)
    below, small = len(rows) - 0.35, TEXT_SIZE - 1
    axes.text(0.005, below, "\n".join(notes), ha="left", va="top", color="#555555", size=small)


def table_inches(rows: int, footnote: str = "") -> float:
    """Height that a table of so many rows needs in a figure 7 inches wide."""
    notes = len(textwrap.wrap(footnote, FOOTNOTE_WIDTH))
    return ROW_INCHES * (rows + HEADER + notes * NOTE_LINE)


def cell_text(value: Value | None, decimals: int) -> str:
    """A figure with its spread, '1.38 ± 0.05'; a dash where there is none."""
    mean, spread = value if isinstance(value, tuple) else (value, None)
    if mean is None or math.isnan(mean):
        return "–"
    text = f"{mean:.{decimals}f}"
    return text if spread is None else f"{text} ± {spread:.{decimals}f}"


def best_rows(rows: Mapping[str, Mapping[str, Value]], column: Column) -> set[str]:
    """Names of the rows whose figure, as it is shown, is the best of a column."""
    if column.best == 0:
        return set()
    means = {
        name: round(float(np.atleast_1d(row[column.key])[0]), column.decimals)
        for name, row in rows.items()
        if column.key in row
    }
    finite = {name: mean for name, mean in means.items() if math.isfinite(mean)}
    if not finite:
        return set()
    top = max(column.best * mean for mean in finite.values())
    return {name for name, mean in finite.items() if column.best * mean == top}
