"""Rooms of the package import from the rooms above them in CONTRIBUTING.md, and from no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "openmm_neuralmd"


def rooms() -> dict[str, int]:
    """Rank of each room in the list of CONTRIBUTING.md."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    listed = text.split("<!-- rooms -->")[1].split("<!-- end of rooms -->")[0]
    lines = re.findall(r"^(\d+)\. (.*?):", listed, re.MULTILINE)
    return {name: int(rank) for rank, names in lines for name in re.findall(r"`(\w+)`", names)}


def files() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if room(p) != "__init__"]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_rooms(path: Path, text: str) -> Iterator[str]:
    """Rooms of the package that a file imports from, wherever the statement stands."""
    package = ("openmm_neuralmd", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = (*above, *(node.module or "").split("."))
            for alias in node.names:
                parts = [part for part in (*base, alias.name) if part]
                if parts[0] == "openmm_neuralmd" and not alias.name.startswith("__"):
                    yield parts[1]
        elif isinstance(node, ast.Import):
            yield from (
                name.name.split(".")[1]
                for name in node.names
                if name.name.startswith("openmm_neuralmd.")
            )


def test_every_room_is_listed_once() -> None:
    assert {room(path) for path in files()} == set(rooms())


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_from_rooms_above_it(path: Path) -> None:
    ranks, own = rooms(), room(path)
    wrong = {
        other
        for other in imported_rooms(path, path.read_text())
        if other != own and ranks[other] >= ranks[own] and {own, other} != {"commands", "cli"}
    }
    assert not wrong, f"{path} imports from {', '.join(sorted(wrong))}"


def test_an_upward_import_is_seen() -> None:
    path = PACKAGE / "structure" / "complex.py"
    text = "from ..training.loop import Loop\nimport openmm_neuralmd.report.page\n"
    assert list(imported_rooms(path, text)) == ["training", "report"]
