"""A table of metrics as a figure: methods down, metrics across, the best in bold."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from openmm_neuralmd.errors import InputError

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
