"""`neuralmd doctor --audit`: what a file would do, without doing it."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import openmm
import pytest
import torch
from typer.testing import CliRunner

from openmm_neuralmd.cli import app
from openmm_neuralmd.doctor.audit import audit
from openmm_neuralmd.examples import GPCR_FOLDER

SPRUNG: list[int] = []


def spring() -> int:
    SPRUNG.append(1)
    return 1


class Trap:
    def __reduce__(self):
        return spring, ()


class Writes(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def system_xml(*forces: openmm.Force) -> str:
    system = openmm.System()
    for force in forces:
        system.addForce(force)
    return openmm.XmlSerializer.serialize(system)


def make(path: Path) -> dict[str, str]:
    """Files and the verdict that each deserves."""
    (path / "good.xml").write_text(system_xml(openmm.CMMotionRemover()))
    (path / "evil.xml").write_text(system_xml(openmm.PythonForce(print)))
    (path / "cut.xml").write_text("<System")
    with h5py.File(path / "good.h5", "w") as file:
        file["coordinates"] = np.zeros((2, 3, 3))
        file["again"] = file["/"]  # a loop
    with h5py.File(path / "pickled.h5", "w") as file:
        file.attrs["title"] = np.bytes_(pickle.dumps(Trap(), protocol=0))
    with h5py.File(path / "linked.h5", "w") as file:
        file["a"] = h5py.ExternalLink("other.h5", "/a")
    np.savez(path / "good.npz", a=np.zeros(3))
    np.savez(path / "pickled.npz", a=np.array([Trap()], dtype=object))
    (path / "settings.yaml").write_text("data: {topology: ../../secret.pdb}\n")
    (path / "run.pkl").write_bytes(pickle.dumps(Trap()))
    torch.jit.script(Writes()).save(str(path / "foreign.pt"))
    return {
        "good.xml": "data",
        "evil.xml": "program",
        "cut.xml": "damaged",
        "good.h5": "data",
        "pickled.h5": "program",
        "linked.h5": "program",
        "good.npz": "data",
        "pickled.npz": "program",
        "settings.yaml": "data",
        "run.pkl": "program",
        "foreign.pt": "damaged",
    }


def test_verdicts(tmp_path: Path) -> None:
    expected = make(tmp_path)
    found = {finding.file.name: finding.verdict for finding in audit(tmp_path)}
    assert found == expected
    assert not SPRUNG


@pytest.mark.parametrize(("name", "code"), [("good.xml", 0), ("evil.xml", 1), (".", 1)])
def test_command(tmp_path: Path, name: str, code: int) -> None:
    make(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--audit", str(tmp_path / name)])
    assert done.exit_code == code, done.output
    assert "data" in done.output or "program" in done.output


def test_an_example_is_data(tmp_path: Path) -> None:
    assert {finding.verdict for finding in audit(GPCR_FOLDER)} == {"data"}
