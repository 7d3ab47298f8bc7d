"""What `doctor` finds on this machine, and what it makes of worse ones."""

from __future__ import annotations

import dataclasses
import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from openmm_neuralmd.cli import app
from openmm_neuralmd.doctor import report as doctor
from openmm_neuralmd.doctor.diagnosis import (
    TORCHFORCE_UNREADABLE,
    DoctorReport,
    Package,
    PlatformInfo,
    Probe,
    explain,
)
from openmm_neuralmd.simulation.backends import ABI_BROKEN

HEALTHY = DoctorReport(
    python="3.11.2",
    system="Linux",
    packages=(Package("openmm", "8.6.1", ""), Package("openmmtorch", "1.5", "TorchForce")),
    programs=(Package("gmx", None, "--engine gromacs"),),
    platforms=(PlatformInfo("CPU", 10.0, {"Threads": "2"}),),
    plugin_failures=(),
    probes=(Probe("TorchForce", "CPU", True, ""), Probe("PythonForce", "CPU", True, "")),
    torch_cuda_build="12.8",
    gpus=(),
    crash="",
)


@pytest.fixture(scope="module")
def findings() -> DoctorReport:
    return doctor.report()


def test_both_backends_are_proved_on_this_machine(findings: DoctorReport) -> None:
    proved = {(probe.backend, probe.platform) for probe in findings.probes if probe.works}
    assert {(b, p) for b in doctor.BACKENDS for p in ("Reference", "CPU")} <= proved
    if not findings.gpus:  # the locked environment has OpenMM's CPU platforms only
        assert findings.status == "ok", findings.advice
        assert findings.exit_code == 0
        assert findings.advice == ()


def test_every_package_is_found_with_its_version(findings: DoctorReport) -> None:
    assert findings.missing == ()
    versions = {package.name: package.version for package in findings.packages}
    assert versions["openmmtorch"] == "1.5"


def test_every_load_failure_of_this_machine_is_explained(findings: DoctorReport) -> None:
    assert [f for f in findings.plugin_failures if "not a known cause" in f.explanation] == []


def test_render_names_platforms_backends_and_verdict(findings: DoctorReport) -> None:
    text = io.StringIO()
    doctor.render(findings, Console(file=text, width=120))
    for expected in ("Reference", "CPU", "TorchForce", "PythonForce", "openmmtools", "ok"):
        assert expected in text.getvalue()


def test_the_command_shows_the_report_and_ends_with_its_code(
    findings: DoctorReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "report", lambda: findings)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == findings.exit_code
    assert findings.status in done.stdout.splitlines() and "Reference" in done.stdout


def test_programs_are_told_with_what_is_lost_without_them(findings: DoctorReport) -> None:
    names = [program.name for program in findings.programs]
    assert names == ["antechamber", "gmx"]
    text = io.StringIO()
    doctor.render(HEALTHY, Console(file=text, width=200))
    assert "gmx" in text.getvalue() and "lost: --engine gromacs" in text.getvalue()
    assert HEALTHY.status == "ok"


def test_render_of_a_broken_installation_says_what_to_do() -> None:
    broken = dataclasses.replace(
        HEALTHY, platforms=(), probes=(), crash="Python crashed (signal 11)"
    )
    text = io.StringIO()
    doctor.render(broken, Console(file=text, width=120))
    assert "broken" in text.getvalue()
    assert "signal 11" in text.getvalue()


def test_a_missing_extra_is_shown_and_leaves_the_verdict() -> None:
    extra = Package("prolif", None, "neuralmd validate; pip install 'openmm_neuralmd[validate]'")
    findings = dataclasses.replace(HEALTHY, extras=(extra,))
    text = io.StringIO()
    doctor.render(findings, Console(file=text, width=200))
    assert "pip install 'openmm_neuralmd[validate]'" in text.getvalue()
    assert findings.status == "ok" and not findings.advice


def test_the_probe_of_programs_runs_by_itself() -> None:
    answer, crash = doctor._run([], 120, doctor._PROGRAMS_PROBE)
    assert crash == "" and set(answer) == {"antechamber", "gmx"}
    assert (answer["gmx"] is None) == (shutil.which("gmx") is None)


@pytest.mark.parametrize(
    ("reason", "harmless", "word"),
    [
        ("libOpenCL.so.1: cannot open shared object file", True, "OpenCL driver"),
        ("libOpenMMOpenCL.so: cannot open shared object file", True, "platform above"),
        ("libcuda.so.1: cannot open shared object file", True, "NVIDIA driver"),
        ("libamdhip64.so.6: cannot open shared object file", True, "ROCm"),
        ("libnvrtc.so.12: cannot open shared object file", False, "another CUDA"),
        ("libtorch_cpu.so: cannot open shared object file", False, "does not find torch"),
        ("/x/libOpenMMTorch.so: undefined symbol: _ZN5torch3jit", False, "another version"),
        ("the disk is on fire", False, "not a known cause"),
    ],
)
def test_load_failures_are_explained(reason: str, harmless: bool, word: str) -> None:
    failure = explain(f"Error loading library /opt/plugins/libOpenMMTorchCUDA.so: {reason}")
    assert failure.library == "libOpenMMTorchCUDA.so"
    assert failure.reason == reason
    assert failure.harmless is harmless
    assert word in failure.explanation


NO_TORCHFORCE = (Probe("TorchForce", "CPU", False, "crash"), HEALTHY.probes[1])
NOTHING_WORKS = (NO_TORCHFORCE[0], Probe("PythonForce", "CPU", False, "crash"))
TWO_PLATFORMS = (*HEALTHY.platforms, PlatformInfo("CUDA", 100.0, {}))


@pytest.mark.parametrize(
    ("change", "status", "advice"),
    [
        ({}, "ok", ""),
        ({"probes": NO_TORCHFORCE}, "degraded", "TorchForce on CPU: crash"),
        ({"probes": NOTHING_WORKS}, "broken", "PythonForce on CPU: crash"),
        ({"platforms": TWO_PLATFORMS}, "degraded", ""),
        ({"packages": (Package("openmm", None, ""),)}, "broken", "pip install openmm"),
        ({"packages": (Package("h5py", None, "MISATO"),)}, "degraded", "MISATO"),
        ({"plugin_failures": (explain("libnvrtc.so.12: no"),)}, "degraded", "another CUDA"),
        ({"plugin_failures": (explain("libOpenCL.so.1: no"),)}, "ok", ""),
        ({"gpus": ("H200",)}, "degraded", "openmm[cuda12]"),
        ({"crash": "Python crashed (signal 11)"}, "broken", "signal 11"),
    ],
)
def test_verdict(change: dict[str, object], status: str, advice: str) -> None:
    findings = dataclasses.replace(HEALTHY, **change)
    assert findings.status == status
    assert findings.exit_code == {"ok": 0, "degraded": 1, "broken": 2}[status]
    assert advice in "\n".join(findings.advice)


def test_a_torchforce_that_cannot_be_read_back_is_a_remark_not_a_fault() -> None:
    assert HEALTHY.status == "ok"
    assert HEALTHY.advice == ()
    (remark,) = HEALTHY.remarks
    assert all(word in remark for word in ("openmmtorch 1.5", "XML", "PythonForce"))
    text = io.StringIO()
    doctor.render(HEALTHY, Console(file=text, width=400))
    assert f"note: {remark}" in text.getvalue()


@pytest.mark.parametrize("version", ["1.6", None])
def test_other_torchforces_get_no_such_remark(version: str | None) -> None:
    other = (HEALTHY.packages[0], Package("openmmtorch", version, "TorchForce"))
    assert dataclasses.replace(HEALTHY, packages=other).remarks == ()


def test_doctor_and_backends_distrust_the_same_versions() -> None:
    assert TORCHFORCE_UNREADABLE == ABI_BROKEN


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11)"),
        ("import time; time.sleep(60)", "no answer within 1 s"),
        ("import a_module_that_is_not_there", "No module named"),
    ],
)
def test_a_bad_installation_does_not_take_doctor_down(
    tmp_path: Path, source: str, complaint: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(source)
    answer, crash = doctor._run([], 1.0, program)
    assert answer == {}
    assert complaint in crash


def test_wrong_numbers_do_not_count_as_working(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"energy_error": 0.0, "force_error": float("nan")}
    monkeypatch.setattr(doctor, "_run", lambda *_: (wrong, ""))
    assert not doctor._probe("TorchForce", "CPU", 1.0).works
