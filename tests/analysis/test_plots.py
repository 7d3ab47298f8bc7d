"""Figures: right numbers on the axes, no text over text, and never half a file."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from openmm_neuralmd.analysis import plots
from openmm_neuralmd.analysis.fluctuation import displacement, rmsf_curve
from openmm_neuralmd.analysis.plots import (
    COLUMNS,
    best_rows,
    cell_text,
    draw_table,
)
from openmm_neuralmd.errors import InputError

START = np.random.default_rng(0).normal(size=(7, 3), scale=3)
TRUTH = START + np.cumsum(np.random.default_rng(1).normal(size=(20, 7, 3), scale=0.3), axis=0)
PREDICTIONS = {
    "NeuralMD-ODE": START + np.random.default_rng(2).normal(size=(20, 7, 3), scale=0.4),
    "persistence": np.repeat(START[None], 20, axis=0),
}
TABLE = {
    "NeuralMD-ODE": {"rmse": (1.234, 0.056), "stability": (84.96, 1.0), "rmsf": 0.5},
    "persistence": {"rmse": (1.5, 0.1), "stability": 84.94, "rmsf": 0.0},
    "a long name of a baseline": {"rmse": float("nan")},
}


def axes() -> plots.Axes:
    return Figure().subplots()


def test_rmsf_panel_shows_the_curves() -> None:
    panel = axes()
    plots.draw_rmsf(panel, TRUTH, PREDICTIONS, first=81)
    lines = {line.get_label(): line for line in panel.lines}
    for name, x in {"truth": TRUTH, **PREDICTIONS}.items():
        assert lines[name].get_ydata() == pytest.approx(rmsf_curve(x))
    assert lines["truth"].get_xdata()[[0, -1]].tolist() == [83.0, 98.0]  # [81, 85] … [96, 100]
    assert "Å" in panel.get_ylabel()
    assert len({(line.get_color(), line.get_linestyle()) for line in panel.lines}) == 3


@pytest.mark.parametrize(("interval", "last", "unit"), [(6000.0, 120.0, "ns"), (2.0, 40.0, "ps")])
def test_displacement_panel_shows_physical_time(interval: float, last: float, unit: str) -> None:
    panel = axes()
    plots.draw_displacement(panel, TRUTH, PREDICTIONS, START, interval_ps=interval)
    truth = panel.lines[0]
    assert truth.get_xdata()[[0, -1]] == pytest.approx([0.0, last])
    assert truth.get_ydata() == pytest.approx([0.0, *displacement(TRUTH, START)])
    assert panel.get_xlabel() == f"Time ahead ({unit})"


def test_best_is_judged_as_shown() -> None:
    columns = {column.key: column for column in COLUMNS}
    assert best_rows(TABLE, columns["rmse"]) == {"NeuralMD-ODE"}
    assert best_rows(TABLE, columns["stability"]) == {"NeuralMD-ODE"}  # 85.0 against 84.9
    tied = {"a": {"rmse": 1.231}, "b": {"rmse": 1.229}, "c": {"rmse": 1.24}}
    assert best_rows(tied, columns["rmse"]) == {"a", "b"}
    assert best_rows(TABLE, columns["rmsf"]) == set()
    assert best_rows({"a": {"rmse": float("nan")}}, columns["rmse"]) == set()


def test_cells() -> None:
    assert cell_text(1.234, 2) == "1.23"
    assert cell_text((1.234, 0.056), 2) == "1.23 ± 0.06"
    assert cell_text(float("nan"), 2) == "–"
    assert cell_text(None, 2) == "–"


def test_table_marks_the_best_and_leaves_out_what_no_row_has() -> None:
    panel = axes()
    draw_table(panel, TABLE)
    texts = {text.get_text(): text.get_fontweight() for text in panel.texts}
    assert texts["1.23 ± 0.06"] == "bold"
    assert texts["1.50 ± 0.10"] == "normal"
    assert not any(title.startswith("MAE") for title in texts)


def test_report_is_one_readable_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = []
    monkeypatch.setattr(plots, "FigureCanvasAgg", lambda f: figures.append(f) or FigureCanvasAgg(f))
    target = plots.report_figure(
        tmp_path / "report.png", title="A complex", truth=TRUTH, predictions=PREDICTIONS,
        start=START, interval_ps=80.0, table=TABLE, footnote="Mean ± standard deviation.",
    )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
    image = imread(target)
    assert image.shape[0] > 700
    assert image.shape[1] > 1200
    (figure,) = figures
    page = figure.bbox
    boxes = [
        (text.get_text(), text.get_window_extent())
        for subfigure in figure.subfigs
        for panel in subfigure.axes
        for text in [*panel.texts, panel.xaxis.label, panel.yaxis.label]
        if text.get_text()
    ]
    assert len(boxes) > 15
    for text, box in boxes:
        assert box.x0 >= page.x0, text
        assert box.x1 <= page.x1, text
        assert box.y0 >= page.y0, text
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), f"{one!r} lies over {other!r}"


def test_a_failed_report_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(self: FigureCanvasAgg, path: Path) -> None:
        Path(path).write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", disk_full)
    old = tmp_path / "report.png"
    old.write_text("the last report")
    with pytest.raises(OSError, match="No space"):
        plots.report_figure(
            old, title="", truth=TRUTH, predictions=PREDICTIONS, start=START, interval_ps=80.0,
            table=TABLE,
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["report.png"]
    assert old.read_text() == "the last report"


def test_figures_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be told apart"):
        plots.draw_rmsf(axes(), TRUTH, {str(k): TRUTH for k in range(7)})
    with pytest.raises(InputError, match="at least one row"):
        draw_table(axes(), {})
    with pytest.raises(InputError, match="does not exist"):
        plots.report_figure(
            tmp_path / "no" / "report.png", title="", truth=TRUTH, predictions={}, start=START,
            interval_ps=80.0, table=TABLE,
        )  # fmt: skip


def test_pyplot_is_left_alone() -> None:
    import subprocess

    code = "import sys, openmm_neuralmd.analysis.plots; print('matplotlib.pyplot' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
