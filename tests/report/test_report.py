"""The report and the validity card: what they say follows from the data, and nothing else."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openmm_neuralmd.analysis.evaluation import HALVES, Made
from openmm_neuralmd.analysis.markdown import significant
from openmm_neuralmd.analysis.record import Record
from openmm_neuralmd.assessment.check import Threshold, judge, read_checks, read_thresholds
from openmm_neuralmd.assessment.chemistry import find_chemistry
from openmm_neuralmd.assessment.contestants import MEAN
from openmm_neuralmd.dynamics.naive import NAIVE
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.report.bars import (
    METRICS,
    difference_bars,
    metric_bars,
    outcome,
)
from openmm_neuralmd.report.card import CHECKS, validity_card
from openmm_neuralmd.report.evidence import Evidence
from openmm_neuralmd.report.outputs import write_outputs
from openmm_neuralmd.report.page import render
from openmm_neuralmd.report.scene import (
    BACKBONE,
    POCKET,
    STEP,
    scene,
)
from openmm_neuralmd.report.speed import read_speed
from openmm_neuralmd.report.svg import Series, axis, line_chart
from openmm_neuralmd.report.verdict import verdict
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots
from reference_sets import TYK2
from report_cases import AHEAD, small_evidence

SPEED = Path(__file__).parents[2] / "validation" / "results" / "speedup-t4l-p-xylene.json"


@pytest.fixture(scope="module")
def evidence(gpcr: Snapshots) -> Evidence:
    return small_evidence(gpcr)


def with_differences(evidence: Evidence, gaps: dict[str, float], clusters: int = 20) -> Evidence:
    """Paired differences of ± 0.1 about a gap in both metrics; positive is better for the model."""
    differences = {
        name: {
            "rmse": [-gap, -gap - 0.1, -gap + 0.1],
            "stability": [gap, gap - 0.1, gap + 0.1],
        }
        for name, gap in gaps.items()
    }
    return replace(
        evidence, result={**evidence.result, "differences": differences, "clusters": clusters}
    )


@pytest.mark.parametrize(
    ("gaps", "tone", "headline"),
    [
        ({}, "good", "Better than every naive baseline"),
        (
            {"recent-mean": 0.0},
            "mixed",
            "Better than standing still, but not than every naive baseline",
        ),
        ({"persistence": 0.05}, "bad", "Not clearly better than standing still"),
        (
            {"persistence": -1.0, "ar1": -1.0},
            "bad",
            "Worse than standing still, and worse than 2 of 5 naive baselines",
        ),
    ],
)
def test_the_headline_follows_from_the_intervals(
    evidence: Evidence, gaps: dict[str, float], tone: str, headline: str
) -> None:
    told = verdict(with_differences(evidence, dict.fromkeys(NAIVE, 1.0) | gaps))
    assert (told.tone, told.headline) == (tone, headline)
    beaten = sum(gap > 0.1 for gap in (dict.fromkeys(NAIVE, 1.0) | gaps).values())
    assert f"In RMSE it beats {beaten} of 5 naive baselines." in " ".join(told.sentences)


def test_little_data_are_told_of_first(evidence: Evidence) -> None:
    few = verdict(with_differences(evidence, dict.fromkeys(NAIVE, 1.0), clusters=7))
    assert few.headline == "On little data: better than every naive baseline"
    assert "fall into 7 stretches" in few.cautions[0]
    many = verdict(with_differences(evidence, dict.fromkeys(NAIVE, 1.0), clusters=8))
    assert not many.headline.startswith("On little data")


def test_a_future_that_was_drawn_is_not_taken_for_a_mean(gpcr: Snapshots) -> None:
    evidence = small_evidence(gpcr, "neuralmd-sde", first=20)
    mean = evidence.result["errors"]["neuralmd-sde" + MEAN]["rmse"][0]
    told = " ".join(verdict(evidence).sentences)
    assert "what is judged is a single future" in told and f"has {mean:.2f}" in told
    card = {check["name"]: check for check in validity_card(evidence)["checks"]}
    ratio = evidence.result["ensembles"]["neuralmd-sde"]["torsion_divergence"][0]
    halves = evidence.result["ensembles"][HALVES]["torsion_divergence"][0]
    assert card["torsion-divergence-ratio"]["value"] == pytest.approx([ratio / halves])
    assert card["posebusters-gap"]["outcome"] == "not measured"  # no chemistry


def test_the_record_keeps_every_forecast_beside_its_truth(evidence: Evidence) -> None:
    record = evidence.record
    assert list(record.origins) == [42, 46, 50, 54]
    assert record.forecasts("persistence").shape == record.truth.shape == (4, AHEAD, 43, 3)
    start = next(iter(record.origins.values())).start
    assert record.forecasts("persistence")[0] == pytest.approx(np.repeat(start[None], AHEAD, 0))
    for method, row in evidence.result["errors"].items():
        per_origin = np.sqrt(np.square(record.rmsd(method)).mean(1))
        assert per_origin.mean() == pytest.approx(row["rmse"][0])


def test_what_is_shown_is_the_median_before_the_best() -> None:
    record, still = Record(), np.zeros((2, 5, 3))
    for first, error in enumerate((3.0, 1.0, 2.0, 5.0)):
        made = Made("m", range(first, first + 2), still[0], still, still + [error, 0, 0])
        record.add(10, made)
    assert record.rmsd("m")[:, 0].tolist() == [3.0, 1.0, 2.0, 5.0]
    assert record.ranked("m") == {"median": 0, "worst": 3, "best": 1}
    assert list(record.origins) == [10, 11, 12, 13]
    alone = record.rmsd_ahead(np.zeros(4, dtype=int))
    assert alone == {"m": [[2.75], [2.75]]}
    low, high = record.rmsd_ahead(np.arange(4))["m"][0][1:]
    assert 1.0 <= low < 2.75 < high <= 5.0


def test_every_check_has_a_threshold_and_every_threshold_a_source() -> None:
    thresholds = read_thresholds()
    assert set(CHECKS) <= set(thresholds)
    assert all(held.source and held.what for held in thresholds.values())


@pytest.mark.parametrize(
    ("better", "threshold", "value", "expected"),
    [
        ("below", 1.0, [1.0], "pass"),
        ("below", 1.0, [0.9, 0.8, 1.1], "fail"),
        ("above", 1.0, [1.2, 1.0, 1.4], "pass"),
        ("above", 1.0, [1.2, 0.9, 1.4], "fail"),
        ("within", (0.8, 1.25), [1.0, 0.8, 1.25], "pass"),
        ("within", (0.8, 1.25), [1.0, 0.7, 1.2], "fail"),
        ("below", 1.0, [float("nan")], "fail"),
    ],
)
def test_a_check_passes_if_its_whole_interval_does(
    better: Any, threshold: Any, value: Any, expected: str
) -> None:
    held = Threshold(what="x", threshold=threshold, better=better, source="s")
    assert judge("x", held, value).outcome == expected


def test_a_wrong_threshold_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "thresholds.yaml"
    file.write_text("x: {what: a, threshold: 1.0, better: within, source: b}\n")
    with pytest.raises(InputError, match=r"thresholds\.yaml: x: .*'within' takes \[low, high\]"):
        read_thresholds(file)


def test_checks_of_other_programs_are_taken_as_they_judged_them(
    evidence: Evidence, tmp_path: Path
) -> None:
    row = {"name": "force", "what": "force", "unit": "relative", "threshold": "≤ 1e-10", "note": ""}
    rows = [
        {**row, "value": 1e-12, "passed": True},
        {**row, "value": 1e-3, "passed": False},
        {**row, "value": None, "passed": None, "note": "no energy"},
    ]
    file = tmp_path / "conservation.json"
    file.write_text(json.dumps({"checks": rows}))
    checks = read_checks(file)
    assert [check.outcome for check in checks] == ["pass", "fail", "not measured"]
    card = validity_card(replace(evidence, judged=checks))
    assert card["checks"][-1]["note"] == "no energy"
    assert sum(card["counts"].values()) == len(CHECKS) + 3
    for text, reason in (("{}", "JSON file with 'checks'"), ('{"checks": [{}]}', "Field required")):
        file.write_text(text)
        with pytest.raises(InputError, match=reason):
            read_checks(file)


def test_a_check_from_outside_is_entered_in_one_line(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Threshold(what="atoms of the ligand", threshold=10.0, better="above", source="a toy")
    monkeypatch.setitem(CHECKS, "toy", lambda e: judge("toy", held, float(len(e.atoms))))
    row = validity_card(evidence)["checks"][-1]
    assert (row["name"], row["value"], row["outcome"]) == ("toy", [43.0], "pass")
    assert "atoms of the ligand" in render(evidence)


def test_the_card_says_what_the_model_is(evidence: Evidence) -> None:
    card = validity_card(evidence)
    assert card["model"]["elements"] == ["C", "N", "O"] and card["model"]["seed"] == 42
    assert card["model"]["interval_ps"] == 6000.0
    assert set(card["baselines"]) == set(NAIVE)
    checks = {check["name"]: check for check in card["checks"]}
    valid = evidence.result["errors"]["neuralmd-ode"]["bond_angle_validity"]
    assert checks["valid-molecules"]["value"] == valid
    # eighteen snapshots are too few to compare distributions of halves
    assert checks["torsion-divergence-ratio"]["outcome"] == "not measured"
    assert "each half of the MD has 9 snapshots" in checks["torsion-divergence-ratio"]["note"]
    assert checks["posebusters-gap"]["note"].startswith("the ligand's bond orders are not known")


def test_outcomes_of_differences_know_which_side_is_better() -> None:
    assert outcome("rmse", [-1.0, -2.0, -0.1]) == outcome("stability", [1.0, 0.1, 2.0]) == "better"
    assert outcome("rmse", [1.0, 0.1, 2.0]) == outcome("stability", [-1.0, -2.0, -0.1]) == "worse"
    assert outcome("rmse", [-1.0, -2.0, 0.1]) == outcome("rmse", [-1.0]) == "level"


def test_bars_begin_at_zero_and_their_order_is_that_of_the_figures() -> None:
    errors = {
        "neuralmd-ode": {key: [2.0, 1.0, 3.0] for key in METRICS},
        "ar1": {key: [4.0, 3.0, 4.0] for key in METRICS},
    }
    rmse, stability = metric_bars(errors, "neuralmd-ode")[:2]
    assert [row.places for row in rmse.rows] == [[0, 50, 25, 75], [0, 100, 75, 100]]
    assert [row.best for row in rmse.rows] == [True, False]
    assert [row.title for row in stability.rows] == ["AR(1)", "NeuralMD-ODE"]
    assert stability.rows[0].places[1] == 4.0  # of 100 %
    gaps = difference_bars({"ar1": {"rmse": [-1.0, -2.0, 0.0]}}, "rmse", ["ar1"])
    start, end, low, high = gaps.rows[0].places
    assert start == high == 50.0 and low < end < start and gaps.rows[0].text.startswith("−1.000")


def test_axes_begin_at_zero_and_end_at_a_tick() -> None:
    found = axis([np.array([0.3, 1.38])], 100.0, 0.0, zero=True)
    assert found.ticks[0] == 0.0 and found.ticks[-1] == found.high == 1.5
    assert found(0.75) == pytest.approx(50.0)
    still = axis([np.zeros(3)], 100.0, 0.0, zero=True)
    assert np.isfinite(still(np.zeros(3))).all()


def test_text_in_drawings_is_escaped() -> None:
    curve = Series("<b>", "model", np.arange(3.0), np.arange(3.0))
    text = line_chart([curve], "a < b", 'about "it"', "<script>")
    assert "<script>" not in text and "a &lt; b" in text and "&#34;it&#34;" in text


def test_figures_with_the_digits_that_their_interval_allows() -> None:
    assert significant([0.01788, 0.00243, 0.0437]) == "0.018 (0.002 to 0.044)"
    assert significant([-2.178, -2.5, -1.79]) == "−2.18 (−2.50 to −1.79)"
    assert significant([1.2345e-9]) == "1.23e−09"
    assert significant([100.0, 100.0, 100.0]) == "100"


def test_the_scene_holds_the_coordinates_to_its_resolution(evidence: Evidence) -> None:
    record, complex = evidence.record, evidence.complex
    made = scene(record, complex, ["neuralmd-ode", "persistence"], 6000.0)
    middle = record.truth.mean((0, 1, 2))
    place = record.ranked("neuralmd-ode")["median"]
    raw = np.frombuffer(base64.b64decode(made["shown"][0]["tracks"][1]), dtype="<i2")
    unpacked = raw.reshape(AHEAD + 1, 43, 3) * STEP + middle
    assert np.abs(unpacked[1:] - record.forecasts("neuralmd-ode")[place]).max() <= STEP / 2 + 1e-9
    assert made["times"] == ["0 fs", "6 ns", "12 ns", "18 ns", "24 ns", "30 ns", "36 ns"]
    assert [len(atom["bonds"]) for atom in made["atoms"]] == np.bincount(
        complex.site_bonds.ravel(), minlength=43
    ).tolist()
    pocket = [line for line in made["pocket"].splitlines() if line.startswith(("ATOM", "HETATM"))]
    xyz = np.array([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in pocket]) + middle
    nearest = np.linalg.norm(xyz[:, None] - record.truth.reshape(1, -1, 3), axis=-1).min(1)
    residues = np.array([line[21:27] for line in pocket])
    assert all(nearest[residues == name].min() < POCKET + 0.01 for name in set(residues))
    names = {line[12:16].strip() for line in made["backbone"].splitlines() if line[:4] == "ATOM"}
    assert names == set(BACKBONE)
    assert not any(line[17:20] == "LIG" or line[76:78].strip() == "H" for line in pocket)


class Links(HTMLParser):
    """What a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [
            str(value)
            for name, value in attrs
            if name in ("src", "href", "srcset", "data") and not str(value).startswith("#")
        ]


def test_the_report_is_one_small_file_that_names_no_other(evidence: Evidence) -> None:
    page = render(replace(evidence, speed=read_speed(SPEED)))
    links = Links()
    links.feed(page)
    assert links.found == []
    assert "default-src 'none'" in page and "@import" not in page and "url(" not in page
    assert len(page.encode()) < 1_000_000
    assert page == render(replace(evidence, speed=read_speed(SPEED)))
    assert "Another model was timed" in page
    for heading in ("Accuracy", "Fluctuation", "Validity card", "Speed", "Where this comes from"):
        assert f"<h2>{heading}</h2>" in page
    assert "<h2>Interactions</h2>" not in page


def test_names_of_files_are_text_and_no_markup(evidence: Evidence) -> None:
    evil = "</script><script>alert(1)</script>"
    complex = replace(evidence.complex, name=evil)
    result = {**evidence.result, "complex": evil}
    page = render(replace(evidence, complex=complex, result=result))
    assert evil not in page and "&lt;script&gt;alert(1)" in page


def test_interactions_where_the_chemistry_is_known(evidence: Evidence) -> None:
    complex = Complex.from_files(TYK2 / "topology.pdb", sdf=TYK2 / "ligand.sdf")
    snapshots = read_snapshots(TYK2 / "trajectory.xtc", complex, stride=25)
    chemistry = find_chemistry(TYK2 / "ligand.sdf", snapshots)
    record, still = Record(), snapshots.ligand[:1].repeat(20, 0)
    for method in ("neuralmd-ode", "persistence", "recent-mean"):
        record.add(0, Made(method, range(1, 21), still[0], snapshots.ligand[1:21], still))
    page = render(replace(evidence, record=record, complex=snapshots.complex, chemistry=chemistry))
    rows = re.findall(r'<th scope="row">(\w+\.\w, [^<]+)</th>\s*<td class="figure">(\d+)', page)
    shares = [int(share) for _, share in rows]
    assert shares[0] == 100 and shares == sorted(shares, reverse=True)
    assert any("hydrogen bond" in name for name, _ in rows)
    assert "Poses or interactions were not checked" not in page


def test_files_are_written_together(evidence: Evidence, tmp_path: Path) -> None:
    write_outputs(evidence, tmp_path / "out")
    names = ["report.html", "validation.csv", "validation.json", "validation.md", "validity.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    card = json.loads((tmp_path / "out" / "validity.json").read_text())
    assert card["verdict"]["headline"] in (tmp_path / "out" / "report.html").read_text()
    broken = replace(evidence, result={k: v for k, v in evidence.result.items() if k != "seed"})
    with pytest.raises(Exception, match="seed"):
        write_outputs(broken, tmp_path / "broken")
    assert not (tmp_path / "broken").exists()


def test_a_file_that_is_no_speed_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    file.write_text('{"rows": {}}')
    with pytest.raises(InputError, match=r"speed\.json: what: Field required"):
        read_speed(file)
