"""The tables of README.md and docs/results.md are those of the result files, digit for digit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/results.md")


def render(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run validation/render.py of a checkout; it reads and writes there."""
    program = root / "validation" / "render.py"
    return subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=900
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages, the script and the result files in a folder of their own."""
    folders = (ROOT / "validation/results", ROOT / "benchmarks/results")
    results = sorted(p.relative_to(ROOT) for folder in folders for p in folder.glob("*.json"))
    sets = (ROOT / "validation/reference_sets").glob("*/manifest.json")
    results += sorted(p.relative_to(ROOT) for p in sets)
    results += sorted(p.relative_to(ROOT) for p in (ROOT / "validation").glob("*_tables.py"))
    one_structure = ROOT / "validation/one_structure/results"
    results += sorted(p.relative_to(ROOT) for p in one_structure.glob("*.json"))
    others = (
        "docs/mechanics.md",
        "docs/one-structure.md",
        "docs/platforms.md",
        "docs/reference.md",
        "docs/reference-sets.md",
        "docs/scale.md",
        "docs/training.md",
        "docs/energy.md",
        "docs/hybrid.md",
        "validation/speed/__init__.py",
        "validation/speed/tables.py",
        "validation/speed/validity.py",
        "validation/result_files.py",
    )
    pages = (*PAGES, *others)
    for name in (*pages, "validation/render.py", *results):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return tmp_path


def test_tables_are_what_the_result_files_give() -> None:
    done = render(ROOT, "--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_a_number_changed_by_hand_is_noticed(copy: Path, page: str) -> None:
    text = (copy / page).read_text()
    start = re.search(r"<!-- table: speed(-summary)? -->", text)
    assert start is not None
    digit = re.compile(r"\d").search(text, start.end())
    assert digit is not None
    other = "7" if digit[0] != "7" else "3"
    (copy / page).write_text(text[: digit.start()] + other + text[digit.end() :])
    done = render(copy, "--check")
    assert done.returncode == 1
    assert Path(page).name in done.stderr


def test_a_changed_result_file_is_noticed_and_rendering_mends_it(copy: Path) -> None:
    file = copy / "validation" / "results" / "speedup-t4l-p-xylene.json"
    content = json.loads(file.read_text())
    next(iter(content["rows"].values()))["moving_atoms"] += 1
    file.write_text(json.dumps(content))
    assert render(copy, "--check").returncode == 1
    assert render(copy).returncode == 0
    assert render(copy, "--check").returncode == 0


ORIGIN = {
    "command": "made for this test",
    "machine": {"processor": "none", "cores": 1, "system": "Linux", "python": "3.11"},
    "versions": {},
}
DRIFT = {"slope": 3e-4, "resolution": 1e-5, "share": 0.02, "fluctuation": 0.1, "temperature": 301.0}
MODEL = {"name": "tyk2-energy", "sha256": "0"}
SAMPLER = {"samples_energy": [1.0, 3.0], "samples_coordinates": [0.5, 0.5], "samples": 1200}
RATE = {"share": [50.0, 30.0, 70.0], "of": 4, "poses": 3, "checks": {}}
SCORES = {"mae": [9.87, 9.5, 10.5], "rmse": [14.0], "cosine": [0.98], "energy": [1.5]}
MEASURED = {
    "forces-tyk2": {
        "atoms": 37,
        "interval_ps": 2.0,
        "block": 3,
        "geometries": {"training": 1680, "validation": 120, "test": 200},
        "spread": {"force": 758.7, "energy": 18.0},
        "models": [{"seed": 0, "mae": 9.87}],
        "errors": {"learned": SCORES, "bonded terms": SCORES},
        "differences": {"bonded terms": [-5.0, -6.0, -4.0]},
    },
    "femtoseconds-t4l-p-xylene-energy": {
        "model": MODEL,
        "precision": "single",
        "settings": {
            "picoseconds": 100.0,
            "platform": "CPU",
            "timestep_fs": 1.0,
            "temperature": 300.0,
        },
        "nve": [{"timestep_fs": 0.5, "drift": {"all-atom": DRIFT}}],
        "nvt": {
            "LangevinMiddleIntegrator": {
                "largest_bond_deviation": 0.123,
                "bonds": 0.01,
                "angles": 0.02,
            },
            "openmmtools BAOABIntegrator": {"failed": "the run blew up after 3 ps"},
        },
    },
    "hmc-t4l-p-xylene-energy": {
        "model": MODEL,
        "atoms": 37,
        "chains": 2,
        "truth": "MD, 1 fs",
        "samplers": {
            "MD, 1 fs": {**SAMPLER, "accepted": None, "energy": [-310.0, -311.0, -309.0]},
            "HMC, 5 steps of 2 fs": {**SAMPLER, "accepted": 0.65, "energy": [-311.2]},
        },
        "energy_less_truth": {"HMC, 5 steps of 2 fs": [-1.2, -2.0, 0.4]},
    },
    "jumps": {
        "complexes": [
            {
                "complex": "tyk2",
                "model": MODEL,
                "interval_ps": 1.0,
                "jumps": 4,
                "kept": 3,
                "reasons": {"energy": 1},
                "posebusters": {"raw": RATE, "md": RATE},
            }
        ],
    },
}
"""Result files of the programs on energy models and moves: the keys that tables read."""


def test_results_on_energy_models_and_moves_become_tables(copy: Path) -> None:
    for name, content in MEASURED.items():
        file = copy / "validation" / "results" / f"{name}.json"
        file.write_text(json.dumps({**content, "provenance": ORIGIN}))
    done = render(copy)
    assert done.returncode == 0, done.stderr
    energy, hybrid = (
        (copy / "docs" / "energy.md").read_text(),
        (copy / "docs/hybrid.md").read_text(),
    )
    assert "| **learned** | 9.9 (9.5 to 10.5) | 14.0 | 0.980 | 1.50 |  |" in energy
    assert (
        "| bonded terms | 9.9 (9.5 to 10.5) | 14.0 | 0.980 | 1.50 | -5.0 (-6.0 to -4.0) |" in energy
    )
    assert "| 0.5 fs, learned force | blew up |" in energy
    assert "| 0.5 fs, all-atom force | 3.0e-04 ± 1.0e-05 | 0.02 | 0.1 | 301 |" in energy
    assert "| LangevinMiddleIntegrator | 0.123 | 0.0100 | 0.0200 |" in energy
    assert "| openmmtools BAOABIntegrator | the run blew up after 3 ps |" in energy
    assert "| HMC, 5 steps of 2 fs | 65.0 | 1,200 | 2 (1 to 3) | 0.5 (0.5 to 0.5) |" in hybrid
    assert "| tyk2 | tyk2-energy | 1 | 3 of 4 | energy 1 |" in hybrid
    assert "| tyk2 | 50 (30 to 70) of 4 | – | – | 50 (30 to 70) of 4 |" in hybrid
