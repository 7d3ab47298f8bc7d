"""What the wheel holds: the package with its data, and nothing of the checkout around it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Size in bytes of each file of the wheel; built from a copy, so that nothing is left here."""
    place = tmp_path_factory.mktemp("wheel")
    copy = place / "checkout"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "openmm_neuralmd", copy / "openmm_neuralmd", ignore=ignored)
    (copy / "tests").mkdir()
    (copy / "tests" / "__init__.py").touch()
    code = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"
    words = [sys.executable, "-c", code, str(place)]
    done = subprocess.run(words, cwd=copy, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.file_size for entry in archive.infolist()}


def test_the_wheel_holds_the_whole_package(content: dict[str, int]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "openmm_neuralmd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= set(content)


def test_the_wheel_holds_nothing_else(content: dict[str, int]) -> None:
    tops = {name.split("/")[0] for name in content}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"openmm_neuralmd"}
    assert not [name for name in content if name.endswith((".ipynb", ".md", ".pyc"))]
    assert sum(content.values()) < 20e6
