"""The report's charts: how forecasts drift from the truth, and how the ligand moves in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from ..analysis.coordinates import Array
from ..analysis.ensemble import (
    TORSION_BINS,
    divergence,
    rotatable_torsions,
    torsions,
)
from ..analysis.fluctuation import (
    WINDOW,
    displacement,
    rmsf_curve,
    rmsf_windows,
)
from ..analysis.record import Record
from ..utils.times import time_scale
from .names import title
from .svg import Series, histogram, line_chart

MOST_TORSIONS = 12
"""Shown; the worst, of more."""


class Chart(NamedTuple):
    """A drawing, and the numbers in it.

    Attributes
    ----------
    title : str
    drawing : Markup
    legend : list of (role, title)
    header, rows : list
        The numbers as a table.
    note : str
    """

    title: str
    drawing: Markup
    legend: list[tuple[str, str]]
    header: list[str]
    rows: list[list[str]]
    note: str = ""


def drift(
    ahead: Mapping[str, Sequence[Sequence[float]]], methods: Sequence[str], interval_ps: float
) -> Chart:
    """RMSD to the truth by time ahead, mean over all forecasts.

    Parameters
    ----------
    ahead : mapping
        `Record.rmsd_ahead`.
    methods : sequence of str
        The model first, which has its interval drawn.
    """
    scale, unit = time_scale(interval_ps * len(ahead[methods[0]]))
    curves = []
    for method, role in _roles(methods):
        values = [np.array([row[k] for row in ahead[method]]) for k in range(len(ahead[method][0]))]
        time = scale * interval_ps * np.arange(1.0, len(values[0]) + 1)
        band = values[1:] if role == "model" else []
        curves.append(Series(title(method), role, time, values[0], *band))
    return _lines(
        "Error by time ahead",
        curves[::-1],
        f"time ahead ({unit})",
        "RMSD to the MD (Å)",
        note="Mean over all forecasts; the band is the model's 95 % interval.",
    )


def departure(
    record: Record, origin: int, methods: Sequence[str], interval_ps: float
) -> list[Chart]:
    """Draw one forecast: distance from its start, and RMSF-ligand in sliding windows.

    Parameters
    ----------
    origin : int
        Position in `record.origins`.
    methods : sequence of str
        The model first.
    """
    start, truth = list(record.origins.values())[origin]
    scale, unit = time_scale(interval_ps * len(truth))
    time = scale * interval_ps * np.arange(len(truth) + 1.0)
    tracks = [("MD", "truth", truth)]
    tracks += [(title(m), role, record.forecasts(m)[origin]) for m, role in _roles(methods)]
    gone = [
        Series(name, role, time, np.concatenate([[0.0], displacement(x, start)]))
        for name, role, x in tracks
    ]
    label = f"time ahead ({unit})"
    charts = [_lines("Distance from the start", gone, label, "RMSD to the start (Å)", time)]
    if len(truth) >= WINDOW:
        middle = time[1 : len(truth) - WINDOW + 2] + scale * interval_ps * (WINDOW - 1) / 2
        moves = [Series(name, role, middle, rmsf_curve(x)) for name, role, x in tracks]
        words = f"RMSF over {WINDOW} snapshots (Å)"
        charts.append(_lines("Fluctuation over time", moves, label, words, time))
    return charts


def fluctuation(record: Record, methods: Sequence[str], names: Sequence[str]) -> Chart:
    """RMSF of each atom, mean over windows and forecasts.

    Parameters
    ----------
    names : sequence of str
        Of the atoms.
    """
    tracks = [("MD", "truth", record.truth)]
    tracks += [(title(m), role, record.forecasts(m)) for m, role in _roles(methods)]
    number = np.arange(1.0, len(names) + 1)
    curves = [
        Series(name, role, number, np.mean([rmsf_windows(x).mean(0) for x in forecasts], axis=0))
        for name, role, forecasts in tracks
    ]
    chart = _lines(
        "Fluctuation by atom",
        curves,
        "heavy atom of the ligand",
        f"RMSF over {WINDOW} snapshots (Å)",
        note=f"Mean over windows of {WINDOW} snapshots in all forecasts.",
    )
    rows = [[name, *row[1:]] for name, row in zip(names, chart.rows, strict=True)]
    return chart._replace(header=["atom", *chart.header[1:]], rows=rows)


class Torsion(NamedTuple):
    """A rotatable bond: its atoms, how far the model's angles are from the MD's, and both drawn."""

    name: str
    divergence: float
    drawing: Markup


def torsion_histograms(
    record: Record, method: str, bonds: Array, names: Sequence[str]
) -> tuple[list[Torsion], int]:
    """Angles about rotatable bonds in all forecasts, the worst first, and how many are left out.

    Parameters
    ----------
    bonds : array (b, 2)
    names : sequence of str
        Of the atoms.
    """
    quadruples = rotatable_torsions(bonds, len(names))
    if not len(quadruples):
        return [], 0
    sides = [x.reshape(-1, *x.shape[2:]) for x in (record.truth, record.forecasts(method))]
    truth, model = (torsions(x, quadruples).T for x in sides)
    edges = np.linspace(-180.0, 180.0, TORSION_BINS + 1)
    histograms = []
    for atoms, p, q in zip(quadruples, truth, model, strict=True):
        name = "–".join(names[atom] for atom in atoms)
        away = divergence(p, q, edges)
        own, other = (np.histogram(x, edges)[0] / len(x) for x in (p, q))
        about = f"Angles of {name}: divergence {away:.2f} bits between MD and model"
        histograms.append(Torsion(name, away, histogram(edges, own, other, about)))
    histograms.sort(key=lambda torsion: -torsion.divergence)
    return histograms[:MOST_TORSIONS], len(histograms[MOST_TORSIONS:])


def _roles(methods: Sequence[str]) -> list[tuple[str, str]]:
    """Methods with their CSS classes, the model first."""
    return [(m, "model" if k == 0 else f"other{k}") for k, m in enumerate(methods)]


def _lines(
    name: str,
    curves: Sequence[Series],
    x_label: str,
    y_label: str,
    cursor: Array | None = None,
    note: str = "",
) -> Chart:
    """A chart of curves over one x, with its numbers."""
    about = f"{name}: {y_label} against {x_label}, for {', '.join(c.title for c in curves)}."
    columns: list[Any] = [curve.y for curve in curves]
    rows = [
        [f"{x:g}", *(f"{y:.2f}" for y in values)]
        for x, *values in zip(curves[0].x, *columns, strict=True)
    ]
    return Chart(
        name,
        line_chart(curves, x_label, y_label, about, cursor),
        [(curve.role, curve.title) for curve in curves],
        [x_label, *(curve.title for curve in curves)],
        rows,
        note,
    )
