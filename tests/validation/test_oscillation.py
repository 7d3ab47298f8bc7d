"""Oscillation: numbers of motions that are known, and a figure whose parts can be read."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from figures import curves
from figures.curves import ensemble_windows
from figures.oscillation import (
    Oscillation,
    compare,
    oscillation,
    rmsf_difference,
    torsion_divergences,
)
from figures.oscillation_figure import (
    draw_occupancies,
    draw_torsion,
    most_spread,
    oscillation_figure,
)
from openmm_neuralmd.analysis.ensemble import (
    TORSION_BINS,
    rotatable_torsions,
    torsion_histograms,
    torsions,
)
from openmm_neuralmd.analysis.fluctuation import rmsf_curve, rmsf_windows
from openmm_neuralmd.errors import InputError

CHAIN = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
RANDOM = np.random.default_rng(0)


def chain(angles: np.ndarray) -> np.ndarray:
    """Five atoms whose first torsion is `angles` in degrees, and whose second is 60°."""
    x = np.zeros((len(angles), 5, 3))
    phi = np.radians(angles)
    x[:, 0] = np.stack([np.cos(phi), np.sin(phi), np.zeros_like(phi)], axis=-1)
    x[:, 1:] = [[0, 0, 0], [0, 0, 1.5], [1, 0, 2.0], [1, 1, 3.0]]
    return x


QUADRUPLES = rotatable_torsions(CHAIN, 5)
TRUTH = chain(RANDOM.uniform(-180, 180, 40))

WALK = np.cumsum(np.random.default_rng(1).normal(size=(20, 7, 3), scale=0.3), axis=0)
FORECASTS = {
    "NeuralMD-ODE": np.random.default_rng(2).normal(size=(20, 7, 3), scale=0.4),
    "persistence": np.repeat(WALK[:1], 20, axis=0),
}


def test_histograms_count_the_torsions() -> None:
    angles = np.concatenate([np.full(30, 45.0), np.full(10, -95.0)])
    x = chain(angles)
    found = torsion_histograms(x, QUADRUPLES)
    assert found.shape == (2, TORSION_BINS) and found.sum(1) == pytest.approx(1.0)
    assert sorted(found[0][found[0] > 0]) == pytest.approx([0.25, 0.75])
    own = torsions(x, QUADRUPLES)[0, 0]
    assert found[0, int((own + 180) // 10)] == pytest.approx(0.75)
    assert most_spread(found, 1) == [0]  # the second does not turn
    assert torsion_histograms(x, np.zeros((0, 4))).shape == (0, TORSION_BINS)


def test_futures_fluctuate_about_their_own_means() -> None:
    x = RANDOM.normal(size=(3, 20, 4, 3)) + 100.0 * np.arange(3)[:, None, None, None]
    found = ensemble_windows(x)
    assert found == pytest.approx(np.mean([rmsf_windows(one) for one in x], axis=0))
    assert ensemble_windows(x[0]) == pytest.approx(rmsf_windows(x[0]))


def test_a_method_that_moves_twice_as_far() -> None:
    truth = oscillation(TRUTH[None], QUADRUPLES)
    mean = TRUTH.mean(0)
    twice = oscillation((mean + 2 * (TRUTH - mean))[None], QUADRUPLES)
    row = compare(truth, twice)
    assert row["rmsf_ratio"] == pytest.approx(2.0)
    assert row["rmsf_atom_correlation"] == pytest.approx(1.0)
    assert row["rmsf_time_correlation"] == pytest.approx(1.0)
    gap = rmsf_difference(truth, twice)
    assert gap.mean == pytest.approx(truth.curve.mean())
    assert gap.low < gap.mean < gap.high
    same = rmsf_difference(truth, truth)
    assert same == (0.0, 0.0, 0.0)


def test_a_ligand_that_stands_still_correlates_with_nothing() -> None:
    still = np.repeat(TRUTH[:1], 40, axis=0) / 3.0 * 3.0
    rounding = still + 1e-15 * RANDOM.normal(size=still.shape)
    row = compare(oscillation(TRUTH[None], QUADRUPLES), oscillation(rounding[None], QUADRUPLES))
    assert np.isnan(row["rmsf_atom_correlation"]) and row["rmsf_ratio"] < 1e-12
    found = torsion_divergences(TRUTH, {"still": still[None], "itself": TRUTH[None]}, CHAIN)
    assert found["itself"] == 0.0 and found["still"] > 0.3


def test_interactions_enter_where_they_are_known() -> None:
    curve, atoms, shares = np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.zeros((0, TORSION_BINS))
    one = Oscillation(curve, atoms, shares, {("ALA1.A", "Hydrophobic"): 1.0})
    half = Oscillation(curve, atoms, shares, {("ALA1.A", "Hydrophobic"): 0.5})
    assert compare(one, half)["interaction_recovery"] == pytest.approx(50.0)
    assert "interaction_recovery" not in compare(one, Oscillation(curve, atoms, shares, None))


def test_the_panel_of_interactions_shows_the_most_frequent() -> None:
    panel = Figure().subplots()
    truth = {(f"ALA{k}.A", "VdWContact"): k / 20 for k in range(1, 20)}
    draw_occupancies(panel, truth, {"model": {("ALA19.A", "VdWContact"): 0.25}}, most=3)
    labels = [tick.get_text() for tick in panel.get_yticklabels()]
    assert labels == [f"ALA{k}.A VdWContact" for k in (19, 18, 17)]
    lines = {line.get_label(): line for line in panel.lines}
    assert lines["truth"].get_xdata() == pytest.approx([95.0, 90.0, 85.0])
    assert lines["model"].get_xdata() == pytest.approx([25.0, 0.0, 0.0])
    assert (lines["truth"].get_ydata() != lines["model"].get_ydata()).all()  # side by side


def test_a_spike_does_not_hide_the_truth() -> None:
    panel = Figure().subplots()
    truth, spike = np.full(TORSION_BINS, 1 / TORSION_BINS), np.eye(TORSION_BINS)[3]
    draw_torsion(panel, truth, {"still": spike}, "C1–C2–C3–C4")
    assert panel.get_ylim()[1] == pytest.approx(125 / TORSION_BINS)
    assert all(patch.get_clip_on() for patch in panel.patches)


def test_the_figure_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(
        curves, "FigureCanvasAgg", lambda f: figures.append(f) or FigureCanvasAgg(f)
    )
    futures = {
        "a-model-with-a-name, of-seed-123": np.stack([TRUTH + 0.1, TRUTH - 0.1]),
        "persistence": np.repeat(TRUTH[:1], 40, axis=0)[None],
    }
    contacts = {(f"MET{k}.B", "Hydrophobic"): 0.9 for k in range(330, 342)}
    made = {}
    for name, x in {"truth": TRUTH[None], **futures}.items():
        found = oscillation(x, QUADRUPLES)
        made[name] = Oscillation(found.curve, found.atoms, found.histograms, contacts)
    target = oscillation_figure(
        tmp_path / "oscillation.png",
        title="A complex: 40 snapshots ahead",
        truth=TRUTH,
        futures=futures,
        measured=made,
        quadruples=QUADRUPLES,
        names=["C1", "C2", "C3", "C4", "C5"],
        first=81,
    )
    assert target.stat().st_size > 10_000
    (figure,) = figures
    boxes = [
        (text.get_text(), text.get_window_extent())
        for panel in figure.axes
        for text in [panel.xaxis.label, panel.yaxis.label, panel._left_title]
        if text.get_text()
    ]
    legend = figure.legends[0]
    boxes += [(text.get_text(), text.get_window_extent()) for text in legend.get_texts()]
    assert len(boxes) > 8
    for text, box in boxes:
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0, text
    for (one, a), (other, b) in combinations(boxes, 2):
        assert not a.overlaps(b), f"{one!r} lies over {other!r}"


def test_rmsf_panel_shows_the_curves() -> None:
    panel = Figure().subplots()
    curves.draw_rmsf(panel, WALK, FORECASTS, first=81)
    lines = {line.get_label(): line for line in panel.lines}
    for name, x in {"truth": WALK, **FORECASTS}.items():
        assert lines[name].get_ydata() == pytest.approx(rmsf_curve(x))
    assert lines["truth"].get_xdata()[[0, -1]].tolist() == [83.0, 98.0]  # [81, 85] … [96, 100]
    assert "Å" in panel.get_ylabel()
    assert len({(line.get_color(), line.get_linestyle()) for line in panel.lines}) == 3


def test_a_failed_figure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(self: FigureCanvasAgg, path: Path) -> None:
        Path(path).write_bytes(b"half a file")
        raise OSError("No space left on device")

    monkeypatch.setattr(FigureCanvasAgg, "print_png", disk_full)
    old = tmp_path / "figure.png"
    old.write_text("the last figure")
    with pytest.raises(OSError, match="No space"):
        curves.save_png(Figure(), old)
    assert [path.name for path in tmp_path.iterdir()] == ["figure.png"]
    assert old.read_text() == "the last figure"


def test_figures_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be told apart"):
        curves.draw_rmsf(Figure().subplots(), WALK, {str(k): WALK for k in range(7)})
    with pytest.raises(InputError, match="does not exist"):
        curves.save_png(Figure(), tmp_path / "no" / "figure.png")
