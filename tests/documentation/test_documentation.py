"""What the documentation shows is there: names that can be imported, a notebook that runs."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
import pytest

from notebooks import as_markdown, executed
from public_names import PACKAGES

ROOT = Path(__file__).parents[2]
API = sorted((ROOT / "docs" / "api").glob("*.md"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def named() -> list[str]:
    """Everything that the API pages ask a docstring of."""
    return [name for page in API for name in re.findall(r"^::: (\S+)", page.read_text(), re.M)]


def found(name: str) -> Any:
    """What mkdocstrings takes a dotted name for: a module goes before a function of its name."""
    place, _, last = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return getattr(importlib.import_module(place), last)


def test_what_the_reference_names_is_public_and_there() -> None:
    for name in named():
        assert not any(part.startswith("_") for part in name.split("."))
        assert found(name) is not None


def test_the_reference_names_nothing_twice_and_misses_nothing() -> None:
    counts = Counter(id(found(name)) for name in named())
    assert {name for name in named() if counts[id(found(name))] > 1} == set()
    for package in PACKAGES:
        module = importlib.import_module(f"openmm_neuralmd{package}")
        missing = [name for name in module.__all__ if not counts[id(getattr(module, name))]]
        assert not missing, f"{module.__name__}: not in docs/api: {', '.join(missing)}"


def test_every_subpackage_with_public_names_is_checked_here() -> None:
    package = ROOT / "openmm_neuralmd"
    public = {
        "." + ".".join(path.parent.relative_to(package).parts)
        for path in package.glob("**/[a-z]*/__init__.py")
        if "__all__" in path.read_text()
    }
    assert public == set(PACKAGES) - {""}


def test_code_of_the_documentation_is_included_and_not_an_expression() -> None:
    """`ruff format` takes the line that includes a file for Python where the fence says so."""
    for page in (ROOT / "docs").glob("**/*.md"):
        text = page.read_text()
        assert "--8 <" not in text, page
        assert not re.search(r"^```py(thon)?\n--8<--", text, re.M), page


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None, cell.source[:60]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_becomes_a_page(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MPLBACKEND", "Agg")  # as in continuous integration
    body, pictures = as_markdown(executed(path, tmp_path), path.stem)
    assert body.startswith("# ") and "Traceback" not in body
    shown = re.findall(r"\]\(([^)]+\.png)\)", body)
    assert len(shown) == 3 and set(shown) == set(pictures)
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())
    assert {p.name for p in tmp_path.iterdir()} >= {"trajectory.dcd", "topology.pdb"}
