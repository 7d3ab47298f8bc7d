"""The tables of README.md and docs/results.md are those of the result files, digit for digit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/results.md")


def render(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run validation/render.py of a checkout; it reads and writes there."""
    program = root / "validation" / "render.py"
    return subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The pages, the script and the result files in a folder of their own."""
    results = sorted(p.relative_to(ROOT) for p in (ROOT / "validation/results").glob("*.json"))
    sets = (ROOT / "validation/reference_sets").glob("*/manifest.json")
    results += sorted(p.relative_to(ROOT) for p in sets)
    others = (
        "docs/comparison.md",
        "docs/energy.md",
        "docs/hybrid.md",
        "docs/mechanics.md",
        "docs/reference.md",
        "docs/reference-sets.md",
        "validation/energy_tables.py",
        "validation/mechanics_tables.py",
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
    start = re.search(r"<!-- table: accuracy-rolling -->", text)
    assert start is not None
    digit = re.compile(r"\d").search(text, start.end())
    assert digit is not None
    other = "7" if digit[0] != "7" else "3"
    (copy / page).write_text(text[: digit.start()] + other + text[digit.end() :])
    done = render(copy, "--check")
    assert done.returncode == 1
    assert Path(page).name in done.stderr


def test_a_changed_result_file_is_noticed_and_rendering_mends_it(copy: Path) -> None:
    file = copy / "validation" / "results" / "accuracy-gpcr-ergotamine.json"
    content = json.loads(file.read_text())
    content["protocols"]["rolling"]["methods"]["persistence"]["rmse"][0] += 1.0
    file.write_text(json.dumps(content))
    assert render(copy, "--check").returncode == 1
    assert render(copy).returncode == 0
    assert render(copy, "--check").returncode == 0
