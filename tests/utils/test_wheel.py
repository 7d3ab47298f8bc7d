"""What the wheel holds: the package with its data, and nothing of the checkout around it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from openmm_neuralmd.trajectory.snapshots import Snapshots
from report_cases import small_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel; built from a copy, so that nothing is left here."""
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
    done = subprocess.run(words, cwd=copy, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def content(wheel: Path) -> dict[str, int]:
    """Size in bytes of each file of the wheel."""
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


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_validate_fills_the_card_without_a_checkout(
    wheel: Path, gpcr: Snapshots, tmp_path: Path
) -> None:
    """Mechanics and speed, too."""
    file = tmp_path / "ode.safetensors"
    small_model("neuralmd-ode", gpcr).save(file)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    words = ["validate", str(file), "--example", "gpcr-ergotamine", "--from", "210"]
    words += ["--ahead", "20", "--every", "20", "--skip", "ablation", "-o", "out"]
    code = "import sys; from openmm_neuralmd.cli import main; main()"
    command = [sys.executable, "-c", code, *words]
    where = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(command, cwd=tmp_path, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "out" / "validity.json").read_text())
    checks = {check["name"]: check for check in card["checks"]}
    assert checks["force-equivariance"]["outcome"] == "pass"
    assert checks["jacobian-asymmetry"]["outcome"] == "reported"
    assert checks["solver-order"]["outcome"] != "not measured"
    assert checks["ensemble-rmsf-ratio"]["outcome"] in ("pass", "fail")  # of the ODE, too
    assert checks["posebusters-gap"]["outcome"] in ("pass", "fail")  # by the SDF alone
    assert all(check["note"] for check in checks.values() if check["outcome"] == "not measured")
    assert any("PythonForce" in name for name in card["speed"]["rows"])
    assert "NeuralMD in torch, one replica" in card["speed"]["rows"]
    assert card["speed"]["model"] == card["model"]["sha256"]
