"""`neuralmd simulate neuralmd-ou`: from a structure and an SDF alone, and from a known stretch."""

from __future__ import annotations

from pathlib import Path

import mdtraj
import numpy as np
import yaml
from typer.testing import CliRunner

from openmm_neuralmd.cli import app

CHK1 = Path(__file__).parents[2] / "validation" / "reference_sets" / "pocket" / "chk1"


def simulated(output: Path, *more: str) -> tuple[str, int]:
    command = ["simulate", "neuralmd-ou", *more, "-o", str(output), "--platform", "Reference"]
    done = CliRunner().invoke(app, command)
    return done.output, done.exit_code


def test_from_the_structure_alone(tmp_path: Path) -> None:
    complex_ = ["--complex", str(CHK1 / "topology.pdb"), "--time", "20ps", "--interval", "2ps"]
    output = tmp_path / "motion.dcd"
    said, code = simulated(output, *complex_, "--sdf", str(CHK1 / "ligand.sdf"), "--seed", "4")
    assert code == 0, said
    assert "from the structure alone\n" in said and "one member of an ensemble" in said
    trajectory = mdtraj.load(str(output), top=str(output.with_suffix(".pdb")))
    assert len(trajectory) == 10
    assert np.abs(np.diff(trajectory.xyz, axis=0)).max() > 0.01
    record = yaml.safe_load(output.with_suffix(".run.yaml").read_text())
    assert record["interval_ps"] == 2.0 and record["model"]["kind"] == "neuralmd-ou"
    said, code = simulated(tmp_path / "other.dcd", *complex_)
    assert code != 0 and not (tmp_path / "other.dcd").exists()


def test_one_snapshot_after_a_known_stretch(tmp_path: Path) -> None:
    known = ["--example", "gpcr-ergotamine", "--start", "20", "--snapshots", "1"]
    said, code = simulated(tmp_path / "next.dcd", *known)
    assert code == 0, said
    assert "known snapshots: 0 to 20" in said and "too few snapshots for an RMSF" in said
