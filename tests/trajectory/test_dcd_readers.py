"""The DCD that this package writes, as other people's programs read it."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import MDAnalysis
import mdtraj
import numpy as np
import pytest
from openmm import app, unit

from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.trajectory.snapshots import write_trajectory
from pymol_program import MISSING, run_pymol

INTERVAL_PS = 80.0
SNAPSHOTS = 5
TOLERANCE_ANGSTROM = 1e-3

PYMOL_SCRIPT = """
import sys
import numpy
from pymol import cmd

topology, trajectory, output = sys.argv[1:4]
cmd.set("retain_order", 1)
cmd.load(topology, "complex")
cmd.load_traj(trajectory, "complex", state=1)
states = range(1, cmd.count_states("complex") + 1)
numpy.save(output, numpy.array([cmd.get_coordset("complex", state) for state in states]))
"""


@dataclass(frozen=True)
class Written:
    topology: Path
    trajectory: Path
    angstrom: np.ndarray  # (T, N, 3), what was written


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """T4 lysozyme with p-xylene; each atom takes a step of its own in each snapshot."""
    folder = tmp_path_factory.mktemp("dcd")
    complex = example_complex("t4l-p-xylene")
    steps = np.random.default_rng(0).normal(scale=0.05, size=(SNAPSHOTS, *complex.positions.shape))
    positions = complex.positions + np.cumsum(steps, axis=0)
    result = Written(folder / "topology.pdb", folder / "trajectory.dcd", 10.0 * positions)
    with result.topology.open("w") as file:
        app.PDBFile.writeFile(complex.topology, complex.positions * unit.nanometer, file)
    write_trajectory(result.trajectory, complex, positions, INTERVAL_PS)
    return result


def assert_same(read_angstrom: np.ndarray, written: Written) -> None:
    assert read_angstrom.shape == written.angstrom.shape
    assert np.abs(read_angstrom - written.angstrom).max() <= TOLERANCE_ANGSTROM


def test_mdtraj_reads_the_same_coordinates(written: Written) -> None:
    read = mdtraj.load_dcd(str(written.trajectory), top=str(written.topology))
    assert_same(10.0 * read.xyz.astype(np.float64), written)


def test_mdanalysis_reads_the_same_coordinates_and_times(written: Written) -> None:
    universe = MDAnalysis.Universe(str(written.topology), str(written.trajectory))
    snapshots = [(step.time, step.positions.copy()) for step in universe.trajectory]
    assert_same(np.array([positions for _, positions in snapshots], dtype=np.float64), written)
    assert universe.trajectory.dt == pytest.approx(INTERVAL_PS, rel=1e-5)
    assert np.diff([time for time, _ in snapshots]) == pytest.approx(INTERVAL_PS, rel=1e-5)


@pytest.mark.pymol
@pytest.mark.skipif(
    shutil.which("pymol") is None and "CI" not in os.environ,
    reason=MISSING,
)
def test_pymol_reads_the_same_coordinates(written: Written, tmp_path: Path) -> None:
    script, output = tmp_path / "read.py", tmp_path / "read.npy"
    script.write_text(PYMOL_SCRIPT)
    printed = run_pymol(script, str(written.topology), str(written.trajectory), str(output))
    assert output.exists(), printed
    assert_same(np.load(output).astype(np.float64), written)
