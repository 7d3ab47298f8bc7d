"""Speed: clocks, independent samples of a series that is known, ratios, and the programs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mm_models import make_model
from openmm_neuralmd.analysis.memory import independent_per_day, trajectory_memory
from openmm_neuralmd.assessment.speed import timing
from openmm_neuralmd.assessment.speed.all_atom import Pace, Variant, ready, surroundings
from openmm_neuralmd.assessment.speed.comparison import in_words, ratios, with_samples
from openmm_neuralmd.assessment.speed.samples import memories
from openmm_neuralmd.assessment.speed.variants import variants
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.program import find_gmx
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.report.speed import read_speed
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.progress import Stopwatch
from speed.reference_run import open_run
from speed.tables import speed as speed_table
from speed.validity import counts, read_validity, verdict

ROOT = Path(__file__).parents[2]
MD = "all-atom, OpenMM: flexible"
OPENMM, MANY, HYBRID = "NeuralMD in OpenMM", "NeuralMD in torch, 4 at once", "NeuralMD, hybrid"


# ------------------------------------------------------------------------------------- clocks


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that moves when it is told to."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])
    return now


def test_a_paced_measure_is_warm_finds_its_length_and_waits_for_the_device(clock) -> None:
    done: list[int] = []
    queued = [0.0]

    def advance(units: int) -> None:
        done.append(units)
        # the first call compiles; afterwards 2 ms a unit, which the device works off when asked
        queued[0] += 3.0 if len(done) == 1 else 0.002 * units

    def wait() -> None:
        clock[0] += queued[0]
        queued[0] = 0.0

    measure = timing.paced(advance, 4.0, 1.5, first=10, wait=wait)
    assert done[0] == 10 and len(done) == 2  # both before anybody measures
    # 4 ps in 2 ms are 2 ns/s
    assert [measure(), measure()] == pytest.approx([2.0 * 86_400.0] * 2)
    assert done[-1] == 750  # 1.5 s of 2 ms
    few = timing.paced(advance, 4.0, 1.5, first=10, most=20, wait=wait)
    assert few() == pytest.approx(2.0 * 86_400.0) and done[-1] == 20


def test_what_comes_before_a_repeat_is_not_timed(clock) -> None:
    def slow() -> None:
        clock[0] += 100.0

    def advance(units: int) -> None:
        clock[0] += 0.5 * units

    measure = timing.paced(advance, 1000.0, 2.0, first=1, before=slow)
    assert measure() == pytest.approx(2.0 * 86_400.0)


def test_repeats_are_taken_in_turn_and_keep_their_spread() -> None:
    order = []

    def measure(name: str, values: list[float]):
        iterator = iter(values)
        return lambda: order.append(name) or next(iterator)

    found = timing.in_turn({"a": measure("a", [3.0, 1.0, 2.0]), "b": measure("b", [5.0] * 3)}, 3)
    assert order == ["a", "b"] * 3
    assert timing.spread(found["a"]) == (2.0, 1.0, 3.0, 3)


def test_a_stopwatch_adds_up_also_where_it_fails(clock) -> None:
    part = Stopwatch()
    with part("check"):
        clock[0] += 1.0
    with pytest.raises(ValueError), part("relaxation"):
        clock[0] += 5.0
        raise ValueError
    with part("check"):
        clock[0] += 2.0
    assert part.seconds == {"check": 3.0, "relaxation": 5.0}


# ------------------------------------------------------------------------- independent samples


def ar1(rho: float, length: int, atoms: int = 8, means: float = 10.0) -> np.ndarray:
    """(T, n, 3): every coordinate an AR(1) process of variance 1, about a mean of its own."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(length, atoms, 3)) * np.sqrt(1 - rho**2)
    x = np.empty_like(noise)
    x[0] = random.normal(size=(atoms, 3))
    for t in range(1, length):
        x[t] = rho * x[t - 1] + noise[t]
    return x + random.normal(size=(atoms, 3)) * means


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_ar1_has_the_independent_samples_that_it_must_have(rho: float) -> None:
    """N (1 − ρ)/(1 + ρ), which is also what the variance of means over time says."""
    length, interval = 4000, 80.0
    found = trajectory_memory(ar1(rho, length), interval)
    exact = length * (1 - rho) / (1 + rho)
    assert found.samples == pytest.approx(exact, rel=0.08)
    assert found.time_ps == pytest.approx(interval * (0.5 + rho / (1 - rho)), rel=0.08)
    assert found.length_ps == length * interval and found.resolved
    means = ar1(rho, length, atoms=400, means=0.0).mean(0)
    assert 1.0 / means.var() == pytest.approx(found.samples, rel=0.15)


def test_what_is_not_correlated_is_all_independent() -> None:
    found = trajectory_memory(np.random.default_rng(0).normal(size=(3000, 8, 3)), 2.0)
    assert found.samples == pytest.approx(3000, rel=0.05)


def test_replicas_are_segments_and_a_short_run_is_not_resolved() -> None:
    one = trajectory_memory(ar1(0.9, 4000), 1.0)
    four = trajectory_memory(
        ar1(0.9, 4000), 1.0, [range(i * 1000, (i + 1) * 1000) for i in range(4)]
    )
    assert four.time_ps == pytest.approx(one.time_ps, rel=0.05)
    assert not trajectory_memory(ar1(0.98, 200), 1.0).resolved
    with pytest.raises(InputError, match="does not move"):
        trajectory_memory(np.ones((50, 4, 3)), 1.0)


def row(speed: float, learned: bool = True, **more) -> dict:
    told = {"median": speed, "least": speed, "greatest": speed, "repeats": 5}
    return {"learned": learned, "ns_per_day": told, "moving_atoms": 8, **more}


MEMORY = {"md": {"time_ps": 500.0}, "model": {"time_ps": 4000.0}, "why": ""}


def test_ratios_in_time_and_in_samples_by_hand() -> None:
    rows = {
        MD: row(10.0, learned=False),
        "all-atom, slow": row(2.0, learned=False),
        OPENMM: row(8000.0),
        MANY: row(32_000.0, copies=4),
        HYBRID: row(500.0, own_memory=True),
    }
    rows = with_samples(rows, MEMORY)
    assert independent_per_day(10.0, 500.0) == 10.0
    per_day = {name: found["independent_per_day"] for name, found in rows.items()}
    # 8,000 ns by 2 × 4 ns; four replicas that are the same tell no more than one
    assert per_day == {MD: 10.0, "all-atom, slow": 2.0, OPENMM: 1000.0, MANY: 1000.0, HYBRID: None}
    found = ratios(rows, interval_ps=160.0)
    assert found[OPENMM] == {
        "at_model_interval": 800.0,
        "at_80_ps": 400.0,
        "per_independent_sample": 100.0,
    }
    assert found[MANY]["at_model_interval"] == 3200.0
    assert found[MANY]["per_independent_sample"] == 100.0
    assert found[HYBRID]["per_independent_sample"] is None and MD not in found


def test_without_a_memory_there_are_no_samples() -> None:
    for known in (None, {**MEMORY, "model": None, "why": "the ligand does not move"}):
        rows = with_samples({MD: row(10.0, learned=False), OPENMM: row(8000.0)}, known)
        assert rows[OPENMM]["independent_per_day"] is None
        assert ratios(rows, 80.0)[OPENMM]["per_independent_sample"] is None


# ---------------------------------------------------------------- what is said, and the card


def result_with(memory: dict | None) -> dict:
    jumps = {"kept": 1, "attempts": 5, "reasons": ["clash"], "fallback_ps": 2.0}
    rows = {MD: row(10.0, learned=False) | {"moving_atoms": 2621}, OPENMM: row(8000.0)}
    return {"rows": rows, "memory": memory, "jumps": jumps, "interval_ps": 80.0}


def test_words_name_what_moves_what_was_scaled_and_what_is_too_short() -> None:
    model = make_model()
    md = {"time_ps": 500.0, "length_ps": 3000.0, "resolved": False}
    own = {"time_ps": 40.0, "length_ps": 3000.0, "resolved": True}
    told = "\n".join(
        in_words(
            result_with({"reference": "tyk2", "md": md, "model": own, "why": ""}),
            model,
        )
    )
    for part in (
        "up to 2,621 atoms",
        "ligand's 8 atoms",
        "500 ps in the MD (tyk2, 3 ns)",
        "40 ps in a trajectory of the model",
        "trajectory of the MD holds fewer than 10",
        "This model forgets faster than the molecule does",
        "1 of 5 jumps",
        "failed: clash",
        "80 ps of MD, of which 2 ps were run",
    ):
        assert part in told
    assert "were not compared" in "\n".join(in_words(result_with(None), model))
    alike = {"reference": "tyk2", "md": md, "model": {**own, "time_ps": 400.0}, "why": ""}
    assert "forgets" not in "\n".join(in_words(result_with(alike), model))
    slower = {**alike, "model": {**own, "time_ps": 1500.0}}
    assert "forgets more slowly" in "\n".join(in_words(result_with(slower), model))


def test_a_card_of_another_model_is_refused(tmp_path: Path) -> None:
    card = {
        "model": {"name": "mine", "sha256": "a" * 64},
        "verdict": {"headline": "Worse than standing still"},
        "counts": {"pass": 3, "fail": 4, "not measured": 0},
    }
    file = tmp_path / "validity.json"
    file.write_text(json.dumps(card))
    model = replace(make_model(), sha256="a" * 64)
    found = read_validity(file, model)
    assert verdict(found) == "Worse than standing still (3 pass, 4 fail)"
    assert verdict(None) == "none given"
    assert counts(found) == "3 pass, 4 fail"
    with pytest.raises(InputError, match=r"of model 'mine' \(aaaaaaaaaaaa…\).*is timed"):
        read_validity(file, replace(model, sha256="b" * 64))
    file.write_text("{}")
    with pytest.raises(InputError, match=r"validity\.json: not a validity\.json"):
        read_validity(file, model)


# ---------------------------------------------------------------------- memory of real motion


def strided(interval_ps: float):
    model = make_model(kind="neuralmd-sde")
    return replace(model, card=model.card.model_copy(update={"interval_ps": interval_ps}))


def test_memory_of_md_at_its_own_stride_and_of_the_model_at_its() -> None:
    complex = example_complex("t4l-p-xylene")
    steps = ar1(0.8, 165, atoms=len(complex.ligand_sites))
    start = 10 * complex.positions[complex.ligand_sites]
    run = Snapshots(complex, start + 0.1 * (steps - steps.mean(0)), 1.0)
    model = strided(4.0)
    found = memories(model, open_run(model, complex, run, Path("run")))
    assert found["md"]["interval_ps"] == 1.0
    assert found["md"]["time_ps"] == trajectory_memory(run.ligand, 1.0).time_ps
    assert found["why"] == "" and found["model"]["interval_ps"] == 4.0
    # eight futures of what was left of 42 snapshots at the model's stride
    assert found["model"]["length_ps"] == 8 * (42 - 30) * 4.0
    with pytest.raises(InputError, match=r"snapshots every 1 ps.*stride, 2.5 ps.*whole multiple"):
        open_run(strided(2.5), complex, run, Path("run"))
    with pytest.raises(InputError, match="too few to compare"):
        open_run(strided(8.0), complex, run, Path("run"))
    other = example_complex("gpcr-ergotamine")
    with pytest.raises(InputError, match="a ligand of 8 atoms that is not the 43"):
        open_run(strided(4.0), other, run, Path("run"))


# -------------------------------------------------------------------------------- the programs


@pytest.fixture(scope="module")
def dry(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


@pytest.fixture(scope="module")
def wet(t4l_water: ComplexFolder) -> ComplexFolder:
    return t4l_water


def variant(engine: str, folder: ComplexFolder, **settings) -> Variant:
    common = {"platform": "CPU", "properties": {"Threads": "2"}}
    return Variant(engine, folder, MDSettings(**common, **settings))


def test_engines_say_what_moves_and_what_they_cannot_do(wet: ComplexFolder, tmp_path: Path) -> None:
    pace = Pace(0.05, 0.02)
    makers = {
        "flexible": lambda: variant("openmm", wet).contestant(tmp_path, pace),
        "rigid": lambda: variant("gromacs", wet, mode="rigid").contestant(tmp_path, pace),
    }
    told: list[str] = []
    contestants, left_out = ready(makers, told.append)
    assert told == ["flexible", "rigid"] and list(contestants) == ["flexible"]
    assert "--engine openmm" in left_out["rigid"]
    made = contestants["flexible"]
    assert made.measure() > 0 and made.platform == "CPU"
    assert made.moving == made.atoms == wet.record["atoms"]
    assert surroundings(wet) == "periodic"


def test_every_kind_of_md_has_a_row_of_its_own(dry: ComplexFolder, wet: ComplexFolder) -> None:
    found = variants([wet, dry], ["openmm", "gromacs"], ["flexible", "pocket"], {}, quick=False)
    assert len(found) == 2 * (2 + 2 + 4 + 2)
    steps = {v.settings.timestep_fs: v.settings.hydrogen_mass for v in found.values()}
    assert steps == {4.0: 4.0, 2.0: 0.0}
    cutoffs = [v.settings.cutoff for v in found.values() if v.folder is dry]
    assert {1.2, 2.0, None} == set(cutoffs)
    assert "all-atom, GROMACS: flexible, vacuum, cutoff 1.2 nm, 2 fs" in found
    assert len(variants([wet, dry], ["openmm"], ["pocket"], {}, quick=True)) == 2
    with pytest.raises(InputError, match="second complex in the same solvent"):
        variants([wet, wet], ["openmm"], ["pocket"], {}, quick=True)


@pytest.mark.gromacs
def test_gromacs_is_timed_by_its_own_log(wet: ComplexFolder, tmp_path: Path) -> None:
    find_gmx()
    made = variant("gromacs", wet).contestant(tmp_path, Pace(0.2, 0.1))
    assert made.measure() > 0 and made.moving == wet.record["atoms"]


@pytest.mark.slow
def test_the_program_runs_and_its_file_is_read_by_report_and_tables(
    wet: ComplexFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "speed.json"
    chosen = ["--engines", "openmm", "--platform", "CPU", "--backends", "PythonForce"]
    done = subprocess.run(
        [sys.executable, ROOT / "validation" / "speedup.py", "--quick", *chosen]
        + ["--complex", wet.path, "--json", file, "--work", tmp_path],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    found = read_speed(file)
    assert [name.split(":")[0].split(",")[0] for name in found.rows] == [
        "all-atom",
        "NeuralMD in OpenMM",
        "NeuralMD in torch",
        "NeuralMD in torch",
        "NeuralMD",
    ]
    once = ("loading", "featurising", "exporting")
    assert set(found.parts) >= {*once, "jump", "hydrogens", "relaxation", "check", "fallback"}
    assert all(part.least > 0 for part in found.parts.values())
    md = found.rows["all-atom, OpenMM: flexible, periodic, 4 fs with heavy hydrogens"]
    assert md.moving_atoms == wet.record["atoms"]
    assert found.rows["NeuralMD in torch, one replica"].moving_atoms == 8
    assert set(found.ratio_to_fastest_all_atom) == set(list(found.rows)[1:])
    monkeypatch.setattr("speed.tables.read", lambda name: json.loads(file.read_text()))
    assert "none given" in speed_table("quick") and "1 (the fastest)" in speed_table("quick")


def test_fewer_than_five_repeats_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "validation" / "speedup.py", "--repeats", "4"],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 2 and "fewer than 5 repeats" in done.stderr
