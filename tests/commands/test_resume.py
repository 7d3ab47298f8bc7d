"""kill -9 in the middle of a run: the same command again ends bit for bit as if it never was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cli_files import write_inputs
from openmm_neuralmd.cli import app
from reference_cases import kill_when


def run(*words: object) -> str:
    """Run a command to its end, with the one thread that a killed one has; what it said."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    done = CliRunner().invoke(app, [str(word) for word in words])
    torch.set_num_threads(before)
    assert done.exit_code == 0, done.output
    return done.output


def kill_after_change(watched: Path, *words: object) -> None:
    """Start a command and kill it as soon as `watched` is written (anew)."""
    kill_when(watched, [sys.executable, "-m", "openmm_neuralmd.cli", *map(str, words)])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder, batch_size=1, epochs=2)  # 48 updates an epoch, a state every 25
    return folder


@pytest.fixture(scope="module")
def whole(inputs: Path) -> Path:
    """An uninterrupted training."""
    run("train", inputs / "settings.yaml", "-o", inputs / "whole")
    return inputs / "whole"


def test_training_survives_kill_9(inputs: Path, whole: Path) -> None:
    broken = inputs / "broken"
    train = ("train", inputs / "settings.yaml", "-o", broken)
    for _ in range(2):
        kill_after_change(broken / "state.safetensors", *train)
        assert not (broken / "model.safetensors").exists()
    said = run(*train)
    assert "continuing from update" in said
    for name in ("model.safetensors", "log.csv"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes(), name


def test_simulation_survives_kill_9(inputs: Path, whole: Path) -> None:
    known = ("--complex", inputs / "complex.pdb", "--ligand", "LIG")
    known += ("--trajectory", inputs / "known.xtc", "--platform", "Reference")
    request = ("simulate", whole / "model.safetensors", *known, "--snapshots", 60, "-o")
    kill_after_change(inputs / ".cut.dcd.partial" / "checkpoint.npz", *request, inputs / "cut.dcd")
    assert not (inputs / "cut.dcd").exists()
    run(*request, inputs / "cut.dcd")
    run(*request, inputs / "uncut.dcd")
    # The title of a DCD holds the time of writing.
    skip = 4 + 84 + 4 + 4 + 4 + 160 + 4
    cut, uncut = ((inputs / f"{name}.dcd").read_bytes() for name in ("cut", "uncut"))
    assert cut[:92] == uncut[:92]
    assert cut[skip:] == uncut[skip:]
