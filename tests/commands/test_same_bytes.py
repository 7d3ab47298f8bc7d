"""The same seed gives the same bytes; what the number of threads changes is said in the docs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cli_files import write_inputs
from openmm_neuralmd.cli import app
from openmm_neuralmd.examples import example
from openmm_neuralmd.model import load_model
from openmm_neuralmd.report.outputs import write_outputs
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.trajectory.snapshots import Snapshots
from report_cases import small_evidence

DCD_HEADER = 276  # its end is the date


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_inputs(folder, epochs=1)
    return folder


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def call(*words: object) -> None:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output


def test_train_writes_the_same_bytes(inputs: Path, tmp_path: Path, threads: int) -> None:
    for name in ("a", "b"):
        call("train", inputs / "settings.yaml", "--seed", 5, "-o", tmp_path / name)
    for file in ("model.safetensors", "log.csv"):
        first, second = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert first == second, file


def test_simulate_writes_the_same_bytes(tmp_path: Path, threads: int) -> None:
    device = ("--platform", "CPU", "--property", f"Threads={threads}", "--backend", "PythonForce")
    run = ("simulate", "gpcr-ergotamine-sde", "--example", "gpcr-ergotamine", "--snapshots", 2)
    for name in ("a", "b"):
        call(*run, *device, "--seed", 5, "-o", tmp_path / f"{name}.dcd")
    first, second = ((tmp_path / f"{name}.dcd").read_bytes() for name in "ab")
    assert first[DCD_HEADER:] == second[DCD_HEADER:]
    assert (tmp_path / "a.pdb").read_bytes() == (tmp_path / "b.pdb").read_bytes()


def test_rollout_gives_the_same_numbers_for_any_number_of_threads() -> None:
    known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine-sde")
    before, runs = torch.get_num_threads(), []
    for count in (1, 2, 1):
        torch.set_num_threads(count)
        runs.append(rollout(model, known.complex, known.ligand, 3, replicas=2, seed=5))
    torch.set_num_threads(before)
    assert runs[0].tobytes() == runs[2].tobytes()
    np.testing.assert_allclose(runs[0], runs[1], atol=1e-3)  # Å: sums in another order


@pytest.mark.slow  # every naive baseline is fitted, twice
def test_a_report_is_the_same_files(gpcr: Snapshots, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_outputs(small_evidence(gpcr, "neuralmd-sde"), tmp_path / name)
    files = sorted(file.relative_to(tmp_path / "a") for file in (tmp_path / "a").rglob("*.*"))
    assert Path("report.html") in files and Path("validation.json") in files
    for file in files:
        first, second = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert first == second, file
