"""Curves of truth and forecasts: RMSF of the ligand, styles, and figures that are written whole.

Everything is drawn with matplotlib's object interface on the Agg canvas: no display, no global
state, safe in threads and in a test.  Colours are Okabe and Ito's, which colour-blind readers
can tell apart; every curve also has its own dashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.analysis.fluctuation import WINDOW, rmsf_windows
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.utils.files import complete

Drawn = TypeVar("Drawn")
TEXT_SIZE = 8
"""Points."""
TRUTH_COLOUR = "#000000"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, in the order in which curves take them; yellow is too pale for lines."""
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (2.5, 1.2)), (0, (8, 2)))


def ensemble_windows(x: ArrayLike, window: int = WINDOW) -> Array:
    """RMSF of each atom in sliding windows, (S − window + 1, n), Å; the mean over futures.

    Each future fluctuates about its own mean: what differs between futures does not count.

    Parameters
    ----------
    x : array (S, n, 3) or (R, S, n, 3)
        One stretch of snapshots, or several futures, Å.
    window : int
        See `rmsf_windows`.
    """
    futures = np.asarray(x)
    every = futures if futures.ndim == 4 else futures[None]
    return np.mean([rmsf_windows(future, window) for future in every], axis=0)


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
    """Style all panels alike: axes from zero, two spines, a faint grid."""
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=TEXT_SIZE)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_fontsize(TEXT_SIZE + 1)
