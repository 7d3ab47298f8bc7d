"""The command line: what it does, what it says, how it ends."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from cli_files import write_inputs
from openmm_neuralmd.cli import app
from openmm_neuralmd.examples import GPCR_FOLDER
from openmm_neuralmd.training.settings import TrainingSettings, read_settings
from openmm_neuralmd.utils.times import parse_time, show_time, whole_strides

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = (
    "prepare",
    "reference",
    "campaign",
    "train",
    "simulate",
    "validate",
    "convert",
    "info",
    "doctor",
)


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def process(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "openmm_neuralmd.cli", *map(str, words)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, **options
    )


def values(result: Result) -> dict[str, str]:
    """The table that `neuralmd info` prints."""
    rows = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in result.stdout.splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, and a model trained on them in `run`."""
    folder = tmp_path_factory.mktemp("cli")
    settings = write_inputs(folder)
    result = call("train", settings, "-o", folder / "run")
    assert result.exit_code == 0, result.output
    return folder


def known(folder: Path) -> list[object]:
    complex = ["--complex", folder / "complex.pdb", "--ligand", "LIG"]
    return [*complex, "--trajectory", folder / "known.xtc"]


def test_help_of_every_command_has_an_example() -> None:
    assert all(name in call("--help").stdout for name in COMMANDS)
    for name in COMMANDS:
        text = " ".join(call(name, "--help").stdout.split())
        assert f"Example: neuralmd {name}" in text


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from openmm_neuralmd.cli import app; "
        "assert CliRunner().invoke(app, ['train', '--help']).exit_code == 0; "
        "print([m for m in ('torch', 'openmm', 'mdtraj', 'numpy', 'rdkit') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_version() -> None:
    assert re.fullmatch(r"neuralmd \d+\.\d+\.\d+\n", call("--version").stdout)


def test_errors_are_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = process("info", tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"neuralmd: error: {tmp_path}: a folder; name a file in it\n"
    debug = process("--debug", "info", tmp_path)
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr and "InputError" in debug.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["teleport"],
        ["train"],
        ["train", "--example", "gpcr-ergotamine", "--complex", "a.pdb"],
        ["train", "--example", "gpcr-ergotamine", "--ligand", "LIG"],
        ["train", "--complex", "a.pdb"],
        ["train", "settings.yaml", "--example", "gpcr-ergotamine"],
        ["train", "settings.yaml", "--epochs", "0"],
        ["simulate", "m", "--example", "gpcr-ergotamine", "-o", "a.dcd"],
        ["simulate", "m", "--example", "x", "-o", "a.dcd", "--time", "8ns", "--snapshots", "3"],
        ["simulate", "m", "-o", "a.dcd", "--time", "8ns"],
        ["simulate", "m", "--example", "x", "-o", "a.dcd", "--time", "8parsecs"],
        ["simulate", "m", "--example", "x", "-o", "a.xtc", "--time", "8ns"],
        ["simulate", "m", "--example", "x", "-o", "a.dcd", "--snapshots", "3", "--property", "A=1"],
        ["info"],
    ],
)
def test_wrong_usage_exits_with_2(words: list[str]) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert result.stdout == ""


def test_an_unexpected_exception_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr("openmm_neuralmd.commands.describe.describe_file", broken)
    result = call("info", "x.pdb")
    assert result.exit_code == 1
    assert result.stderr == (
        "neuralmd: error: unexpected ZeroDivisionError: by zero; "
        "run again with 'neuralmd --debug ...'\n"
    )


def test_a_full_disk_is_one_line_and_leaves_no_half_file(folder: Path, tmp_path: Path) -> None:
    # Files may not grow beyond 40 kB: the DCD (30 kB a snapshot) cannot be written.
    done = process(
        "simulate", folder / "run/model.safetensors", *known(folder), "--snapshots", 20,
        "-o", tmp_path / "t.dcd", "--platform", "Reference",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("neuralmd: error: ") and "File too large; make room where" in last
    assert not list(tmp_path.glob("[!.]*"))


def test_training_says_what_it_did_and_what_to_do_next(folder: Path) -> None:
    result = call("train", folder / "settings.yaml", "-o", folder / "run")
    assert result.exit_code == 0
    assert "best validation error" in result.stdout
    assert "updates are done already" in result.stderr
    command = result.stdout.split("next: neuralmd ")[1].split()
    assert command[command.index("--start") + 1] == "31"  # the last of the first 80 % of 40
    done = call(*command)
    assert done.exit_code == 0, done.output
    assert mdtraj.load(folder / "run/test.dcd", top=folder / "run/test.pdb").n_frames == 8


def test_options_in_place_of_a_settings_file(folder: Path, tmp_path: Path) -> None:
    words = ["train", *known(folder), "--name", "mine", "--seed", 3, "-o", tmp_path]
    result = call(*words, "--interval", "0.5ns", "--boundary", 9999)
    assert result.exit_code == 1  # the options arrive where they belong
    assert "boundaries [9999] must lie inside its 40 snapshots" in result.stderr


def test_another_run_in_the_same_folder_is_refused_or_set_aside(
    folder: Path, tmp_path: Path
) -> None:
    train = ["train", folder / "settings.yaml", "-o", tmp_path, "--epochs", 1]
    assert call(*train).exit_code == 0
    first = (tmp_path / "model.safetensors").read_bytes()
    refused = call(*train, "--seed", 1)
    assert refused.exit_code == 1
    assert "belongs to a run with other settings or data" in refused.stderr
    assert (tmp_path / "model.safetensors").read_bytes() == first
    anew = call(*train, "--seed", 1, "--restart")
    assert anew.exit_code == 0, anew.output
    assert (tmp_path / "previous-1/model.safetensors").read_bytes() == first
    assert (tmp_path / "model.safetensors").read_bytes() != first


def test_a_run_does_not_go_on_with_other_data(folder: Path, tmp_path: Path) -> None:
    settings = write_inputs(tmp_path, epochs=1)
    train = ["train", settings, "-o", tmp_path / "run"]
    assert call(*train).exit_code == 0
    mdtraj.load(tmp_path / "known.xtc", top=tmp_path / "complex.pdb")[:39].save_xtc(
        tmp_path / "known.xtc"
    )
    result = call(*train)
    assert result.exit_code == 1
    assert "other settings or data" in result.stderr


def test_the_end_of_the_trajectory_is_never_learnt_from(folder: Path, tmp_path: Path) -> None:
    settings = write_inputs(tmp_path)
    trajectory = mdtraj.load(tmp_path / "known.xtc", top=tmp_path / "complex.pdb")
    ligand = trajectory.topology.select("resname LIG")
    trajectory.xyz[32:, ligand] += 0.7
    trajectory.save_xtc(tmp_path / "known.xtc")
    assert call("train", settings, "-o", tmp_path / "run").exit_code == 0
    mine, theirs = (load_file(f / "run/model.safetensors") for f in (tmp_path, folder))
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_ctrl_c_says_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "openmm_neuralmd.cli", "train", str(folder / "settings.yaml")]
    running = subprocess.Popen(
        [*command, "--epochs", "1000", "-o", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 600
    while not (tmp_path / "tensorboard").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=600)
    assert running.returncode == 1
    assert "Traceback" not in said
    assert "interrupted; run the same command again" in said.splitlines()[-1]


def test_simulate_writes_a_trajectory_with_true_times(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "t.dcd"
    model = folder / "run/model.safetensors"
    request = ["simulate", model, *known(folder), "--platform", "Reference", "-o", output]
    result = call(*request, "--time", "20 ns", "--start", 20)
    assert result.exit_code == 0, result.output
    assert "20 ns is no whole number of strides of 6 ns; rounded up" in result.stderr
    assert "known snapshots: 0 to 20" in result.stderr
    found = values(call("info", output))
    assert (found["snapshots"], found["interval"]) == ("4", "6 ns")
    record = yaml.safe_load((tmp_path / "t.run.yaml").read_text())
    assert record["snapshots"] == 4 and record["platform"]["name"] == "Reference"
    assert values(call("info", tmp_path / "t.run.yaml"))["model.name"] == "tiny"
    again = call(*request, "--time", "24ns")
    assert again.exit_code == 1 and "exists" in again.stderr
    before = output.read_bytes()
    anew = call(*request, "--snapshots", 2, "--restart")
    assert anew.exit_code == 0, anew.output
    assert (tmp_path / "t.previous-1/t.dcd").read_bytes() == before
    assert values(call("info", output))["snapshots"] == "2"


def test_simulate_refuses_a_ligand_that_would_stand_still(folder: Path, tmp_path: Path) -> None:
    request = ["simulate", folder / "run/model.safetensors", "--complex", folder / "complex.pdb"]
    words = ["--ligand", "LIG", "--snapshots", 1, "-o", tmp_path / "t.dcd"]
    result = call(*request, *words, "--platform", "Reference")
    assert result.exit_code == 1 and not list(tmp_path.iterdir())
    assert "zero velocity and memory" in result.stderr
    message = " ".join(result.stderr.split())
    assert "stands still from there" in message and "--trajectory" in message
    assert call(*request, *words, "--start", 3).exit_code == 2


def test_training_says_when_the_untrained_model_is_best(folder: Path, tmp_path: Path) -> None:
    settings = yaml.safe_load((folder / "settings.yaml").read_text())
    settings |= {"learning_rate": 1e-30, "epochs": 1}
    file = folder / "idle.yaml"
    file.write_text(yaml.safe_dump(settings))
    idle = call("train", file, "-o", tmp_path / "run")
    assert idle.exit_code == 0, idle.output
    assert "warning: the untrained model has a validation error of" in idle.stdout


def test_simulate_says_what_it_makes_and_how_much_that_moves(folder: Path, tmp_path: Path) -> None:
    request = ["simulate", folder / "run/model.safetensors", *known(folder), "--snapshots", 6]
    result = call(*request, "--platform", "Reference", "-o", tmp_path / "t.dcd")
    assert result.exit_code == 0, result.output
    before, after = (" ".join(text.split()) for text in (result.stderr, result.stdout))
    assert "this trajectory is a forecast of the mean" in before
    assert "the known snapshots move by" in before
    assert re.search(r"RMSF over 5 snapshots \d\.\d\d Å, the known snapshots \d\.\d\d Å", after)


def test_simulate_refuses_another_stride(folder: Path, tmp_path: Path) -> None:
    request = ["simulate", folder / "run/model.safetensors", *known(folder)]
    result = call(*request, "--stride", 2, "--snapshots", 1, "-o", tmp_path / "t.dcd")
    assert result.exit_code == 1
    assert "snapshots every 12000 ps" in result.stderr and "6000 ps" in result.stderr


def test_info_of_every_kind_of_file(folder: Path, tmp_path: Path) -> None:
    from openmm_neuralmd import Complex, load_model
    from openmm_neuralmd.simulation.export import ForceModule, export

    model = values(call("info", folder / "run/model.safetensors"))
    assert model["name"] == "tiny" and model["elements"] == "C, N, O"
    assert values(call("info", folder / "run/state.safetensors"))["epochs done"] == "2"
    assert values(call("info", folder / "settings.yaml"))["horizon"] == "2"
    complex = values(call("info", folder / "complex.pdb"))
    assert complex["amino acids"] == "302" and complex["ligand"].startswith("LIG G:1: 79 atoms")
    trajectory = values(call("info", GPCR_FOLDER / "trajectory.xtc"))
    assert trajectory["replicas"] == "3: 84 from 0, 83 from 84, 83 from 167"
    moving = values(
        call("info", folder / "known.xtc", "--complex", folder / "complex.pdb", "--ligand", "LIG")
    )
    assert 0 < float(moving["lag-1 autocorrelation"]) < 1
    loaded = load_model(folder / "run/model.safetensors")
    module = ForceModule(
        loaded.dynamics,
        Complex.from_files(folder / "complex.pdb", ligand="LIG"),
        loaded.card.interval_ps,
    )
    digest = export(module, tmp_path / "force.pt", interval_ps=6000.0)
    assert export(module, tmp_path / "again.pt", interval_ps=6000.0) == digest
    force = values(call("info", tmp_path / "force.pt"))
    assert force["sha256"] == digest and force["interval_ps"] == "6000"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.sdf", b"", "'.sdf' is no kind of file known here"),
        ("a.safetensors", b"no", "damaged, or not a safetensors file"),
        ("a.dcd", b"no", "not a DCD file"),
        ("a.xtc", b"no", "cannot read a.xtc"),
        ("a.pt", b"no", "not an exported force"),
        ("a.yaml", b"x: 1", "neither the record of a run nor training settings"),
        ("a.yaml", b"x: [", "not a readable settings file"),
        ("a.pdb", b"no", "a.pdb"),
        (".", None, "a folder"),
    ],
)
def test_info_refuses_other_files(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = call("info", tmp_path / name)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_info_tells_why_a_structure_is_no_complex(tmp_path: Path) -> None:
    lines = (GPCR_FOLDER / "topology.pdb").read_text().splitlines(keepends=True)
    protein = "".join(line for line in lines if line[17:20] != "LIG" and line[:6] != "CONECT")
    (tmp_path / "apo.pdb").write_text(protein)
    result = call("info", tmp_path / "apo.pdb")
    assert result.exit_code == 0
    assert "not usable: no ligand found" in values(result)["as a complex"]


def test_info_of_a_cut_dcd_says_so(folder: Path, tmp_path: Path) -> None:
    trajectory = mdtraj.load(folder / "known.xtc", top=folder / "complex.pdb")
    trajectory.save_dcd(tmp_path / "t.dcd")
    whole = (tmp_path / "t.dcd").read_bytes()
    (tmp_path / "t.dcd").write_bytes(whole[:-500])
    found = values(call("info", tmp_path / "t.dcd"))
    assert found["snapshots"] == "39"
    assert "the header promises 40" in found["truncated"]


def test_results_alone_are_on_standard_output(folder: Path) -> None:
    mdtraj.load(folder / "known.xtc", top=folder / "complex.pdb").save_dcd(folder / "known.dcd")
    done = process(
        "info", folder / "known.dcd", "--complex", folder / "complex.pdb", "--interval", "6ns"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{folder / 'known.dcd'}: trajectory")
    assert "dcdplugin" not in done.stdout + done.stderr


def test_example_settings_are_the_defaults() -> None:
    settings = read_settings(EXAMPLES / "train.yaml")
    assert settings == TrainingSettings(name=settings.name, data=settings.data)
    text = (EXAMPLES / "train.yaml").read_text()
    written = set(re.findall(r"^#? ?(\w+):", text, re.MULTILINE))
    assert set(TrainingSettings.model_fields) <= written


@pytest.mark.parametrize(
    ("text", "picoseconds"),
    [
        ("8ns", 8000),
        ("500 ps", 500),
        ("2 fs", 0.002),
        ("1.5us", 1.5e6),
        ("1e3", 1000),
        ("1µs", 1e6),
    ],
)
def test_times_are_read(text: str, picoseconds: float) -> None:
    assert np.isclose(parse_time(text), picoseconds, rtol=1e-12)
    assert np.isclose(parse_time(show_time(picoseconds)), picoseconds, rtol=1e-5)


def test_strides_round_up_but_not_because_of_rounding() -> None:
    assert whole_strides(0.3, 0.1) == 3
    assert whole_strides(480.0, 80.0) == 6
    assert whole_strides(481.0, 80.0) == 7
    assert whole_strides(1.0, 80.0) == 1
