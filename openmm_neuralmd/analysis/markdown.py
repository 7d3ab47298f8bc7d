"""Tables in Markdown, and a mean with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table whose first column is aligned left and the others right."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def interval(values: Sequence[float], decimals: int) -> str:
    """Format 'mean (low to high)', or the mean alone if there is no interval."""
    mean, *ends = (f"{value:.{decimals}f}" for value in values)
    if not ends or ends[0] == ends[1]:
        return mean
    return f"{mean} ({ends[0]} to {ends[1]})"


def significant(values: Sequence[float]) -> str:
    """Format like `interval`, with two significant digits of its width, or three without it."""
    mean, *ends = values
    if not ends or ends[0] == ends[1]:
        return f"{mean:.3g}".replace("-", "−")
    decimals = max(0, 1 - math.floor(math.log10(ends[1] - ends[0])))
    return interval(values, decimals).replace("-", "−")


def rounded(value: float) -> str:
    """Format a speed with two significant digits: more are not reproduced from run to run."""
    decimals = 1 - math.floor(math.log10(value))
    return f"{round(value, decimals):,.{max(decimals, 0)}f}"


def cells(
    row: Mapping[str, Sequence[float]],
    columns: Mapping[str, tuple[str, int]],
    spread: Mapping[str, float] | None = None,
) -> list[str]:
    """Format a row of means with intervals, and ± the spread where there is one; a dash for none.

    Parameters
    ----------
    row : mapping
        Metric to [mean] or [mean, low, high].
    columns : mapping
        Metric to its title and decimals.
    spread : mapping, optional
        Metric to the standard deviation over seeds.
    """
    texts = []
    for key, (_, decimals) in columns.items():
        cell = interval(row[key], decimals) if key in row else "–"
        texts.append(f"{cell} ± {spread[key]:.{decimals}f}" if spread and key in spread else cell)
    return texts


ENSEMBLES = {
    "future_rmsf_ratio": ("RMSF ratio of one future", 2),
    "rmsf_ratio": ("RMSF ratio", 2),
    "rmsf_correlation": ("RMSF correlation", 2),
    "torsion_divergence": ("torsions, bits", 3),
    "distance_divergence": ("distances, bits", 3),
    "time_ratio": ("memory ratio", 2),
    "posebusters": ("PoseBusters, %", 0),
    "interaction_recovery": ("interactions, %", 0),
}
"""Columns of a table of ensembles."""


def metric_table(
    rows: Mapping[str, Mapping[str, Sequence[float]]],
    columns: Mapping[str, tuple[str, int]],
    titles: Mapping[str, str] | None = None,
    spread: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Format a table with methods in rows and metrics in columns; empty columns are omitted.

    Parameters
    ----------
    rows : mapping
        Method to metrics, see `evaluation.summary`.
    titles : mapping, optional
        Methods to show, in order, and what they are called; all by their own names without it.
    spread : mapping, optional
        Method to standard deviations over seeds.
    """
    shown = titles or {name: name for name in rows}
    present = {k: texts for k, texts in columns.items() if any(k in row for row in rows.values())}
    lines = [
        [title, *cells(rows[name], present, (spread or {}).get(name))]
        for name, title in shown.items()
        if name in rows
    ]
    return table(["", *(title for title, _ in present.values())], lines)
