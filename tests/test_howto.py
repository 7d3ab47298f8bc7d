"""The how-tos of the documentation are executed, as README.md is (see test_readme.py)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_files import write_inputs
from mm_models import make_model
from test_readme import blocks_of, check_command, command_lines

from openmm_neuralmd.settings_files import validated
from openmm_neuralmd.training import TrainingSettings

PAGES = sorted((Path(__file__).parents[1] / "docs" / "howto").glob("*.md"))
NEURALMD = Path(sys.executable).with_name("neuralmd")


def page(name: str) -> str:
    return next(path for path in PAGES if path.name == name).read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_and_their_options_exist(path: Path) -> None:
    for block in blocks_of(path.read_text()):
        if block.language == "bash":
            for words in command_lines(block.code):
                check_command(words)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_all_python_is_python(path: Path) -> None:
    for block in blocks_of(path.read_text()):
        if block.language == "python":
            compile(block.code, f"{path}:{block.line}", "exec")


def test_the_settings_shown_are_valid() -> None:
    (block,) = [b for b in blocks_of(page("own-complex.md")) if b.language == "yaml"]
    made = validated(TrainingSettings, yaml.safe_load(block.code), "own-complex.md")
    assert made.data[0].ligand == "LIG"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_complex_runs_from_trajectory_to_dcd(tmp_path: Path) -> None:
    """Every neuralmd command of the page, in order, on 40 real snapshots and a small network."""
    write_inputs(tmp_path)
    blocks = [block for block in blocks_of(page("own-complex.md")) if block.language == "bash"]
    commands = [words for block in blocks for words in command_lines(block.code)]
    assert [words[0] for words in commands] == ["info", "info", "train", "info", "simulate", "info"]
    environment = {**os.environ, "OPENMM_NEURALMD_CACHE": str(tmp_path / "cache")}
    for words in commands:
        done = subprocess.run(
            [NEURALMD, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    for name in ("forecast.dcd", "forecast.pdb", "forecast.run.yaml"):
        assert (tmp_path / name).is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_system_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    make_model("energy").save(tmp_path / "energy.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    namespace = {"__name__": "__main__"}
    for block in blocks_of(page("own-system.md")):
        if block.language == "python":
            assert block.not_run is None
            exec(compile("\n" * (block.line - 1) + block.code, "own-system.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "kJ/mol" in printed
    assert "a NeuralMD force without an energy" in printed
    assert "['energy']" in printed
