"""The programs in `examples/` run, on real inputs, with settings that make them short."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import yaml

import openmm_neuralmd as nmd
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.structure.hydrogens import full_positions
from openmm_neuralmd.training.labelled import LabelledRun

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Program = Callable[..., None]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Program]:
    """The `main` of an example, which writes what it is not told to elsewhere into `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))

    def load(name: str) -> Program:
        specification = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert specification is not None and specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        monkeypatch.setitem(sys.modules, name, module)
        specification.loader.exec_module(module)
        return lambda *arguments: module.main([str(word) for word in arguments])

    return load


def test_every_example_is_run_here() -> None:
    """demo.py is `make demo`; it has tests of its parts."""
    here = Path(__file__).read_text()
    for path in EXAMPLES.glob("*.py"):
        assert path.stem == "demo" or f'program("{path.stem}")' in here, path.name


def test_forecast_and_simulation_are_the_same(program, tmp_path: Path) -> None:
    """By torch alone and through OpenMM; only hydrogens, which follow by other rules, differ."""
    program("forecast")("--snapshots", 3, "-o", tmp_path / "a")
    program("simulation")("--snapshots", 3, "-o", tmp_path / "b", "--platform", "Reference")
    files = [tmp_path / name for name in ("a", "b")]
    a, b = (mdtraj.load(place / "trajectory.dcd", top=place / "topology.pdb") for place in files)
    heavy = a.topology.select("element != H")
    np.testing.assert_allclose(a.xyz[:, heavy], b.xyz[:, heavy], atol=1e-4)
    assert len(a) == 3 and np.ptp(a.xyz, axis=0).max() > 0.01
    complex = nmd.Complex.from_files(files[1] / "topology.pdb", ligand="LIG")
    assert nmd.read_snapshots(files[1] / "trajectory.dcd", complex).interval_ps == pytest.approx(
        6000.0
    )


def test_forecast_writes_what_rollout_gives(program, tmp_path: Path, gpcr) -> None:
    program("forecast")("--snapshots", 2, "-o", tmp_path)
    model = nmd.load_model("gpcr-ergotamine")
    future = nmd.rollout(model, gpcr.complex, gpcr.ligand[167:200], snapshots=2)
    written = mdtraj.load(tmp_path / "trajectory.dcd", top=tmp_path / "topology.pdb")
    np.testing.assert_allclose(written.xyz, full_positions(gpcr.complex, future), atol=1e-4)


def test_learned_force(program, tmp_path: Path, capsys) -> None:
    """The bundled energy of TYK2's ligand: the ligand moves, the protein does not."""
    complex = LabelledRun.open(EXAMPLES.parent / "validation/reference_sets/rigid/tyk2").complex
    program("learned_force")("--time", 0.01, "--platform", "Reference")
    topology = mdtraj.Topology.from_openmm(complex.topology)
    written = mdtraj.load("learned/trajectory.dcd", top=topology)
    moved = np.ptp(written.xyz, axis=0).max(axis=-1) > 1e-5
    assert set(np.flatnonzero(moved)) == set(complex.ligand.tolist())
    assert "kJ/mol" in capsys.readouterr().out
    assert len(Path("learned/energies.csv").read_text().splitlines()) == len(written) + 1


def test_baselines(program, capsys) -> None:
    program("baselines")("--ahead", 10, "--every", 40)
    printed = capsys.readouterr().out
    for name in ("NeuralMD-ODE", "standing still", "projected recent mean", "AR(1)"):
        assert f"| {name} |" in printed
    assert "after 6 ns: 0.59" in printed  # as the table `autocorrelation` in README.md


def test_hybrid(program, tmp_path: Path, capsys) -> None:
    """Reference MD, training and jumps; a second start finds the finished parts."""
    settings = {
        "before": 2,
        "md": {
            "mode": "pocket",
            "platform": "CPU",
            "interval_ps": 0.2,
            "pocket_radius": 0.5,
            "shell_radius": 0.9,
            "equilibration_ps": 0.4,
        },
        "jump": {"relax_ps": 0.1, "iterations": 50},
    }
    (tmp_path / "short.yaml").write_text(yaml.safe_dump(settings))
    words = ("--settings", "short.yaml", "--time", 5, "--epochs", 1, "--snapshots", 5, "-o", "out")
    program("hybrid")(*words)
    printed = capsys.readouterr().out
    assert "reference: 25 snapshots" in printed and "5 snapshots, 0.2 ps apart" in printed
    run = yaml.safe_load((tmp_path / "out/run/run.yaml").read_text())
    assert run["unbiased"] is False and run["kinds"]["md"] == 3 and sum(run["kinds"].values()) == 5


def test_own_dynamics(program, tmp_path: Path, capsys) -> None:
    """It is trained, stored, read back by its name, and compared."""
    try:
        program("own_dynamics")("--epochs", 1, "--every", 16, "-o", tmp_path / "own")
        assert nmd.load_model(tmp_path / "own/model.safetensors").card.kind == "relaxation"
    finally:
        LEARNED.pop("relaxation", None)
    with pytest.raises(nmd.ModelError, match="unknown kind 'relaxation'"):
        nmd.load_model(tmp_path / "own/model.safetensors")
    assert capsys.readouterr().out.startswith("relaxation")
