"""Campaigns: settings, tasks side by side, failures that stop nothing else, resumption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import psutil
import pytest
import yaml
from typer.testing import CliRunner

import slurm
from openmm_neuralmd.campaign.cluster import slurm_cluster
from openmm_neuralmd.campaign.cluster_settings import ClusterSettings
from openmm_neuralmd.campaign.run import failures, run_campaign
from openmm_neuralmd.campaign.settings import read_campaign
from openmm_neuralmd.cli import app as cli
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.md.folder import ComplexFolder
from reference_cases import kill_when

QUICK = {
    "mode": "rigid",
    "rigid_radius": 0.6,
    "interval_ps": 0.02,
    "equilibration_ps": 0.2,
    "platform": "Reference",
}
LIGANDS = Path(__file__).parents[1] / "data" / "t4_lysozyme" / "ligands.sdf"


@pytest.fixture(scope="module")
def folder(t4l_folder: ComplexFolder) -> ComplexFolder:
    return t4l_folder


def written(place: Path, **content: Any) -> Path:
    file = place / "targets.yaml"
    file.write_text(yaml.safe_dump({"output": "out", **content}))
    return file


def two_targets(
    folder: ComplexFolder, place: Path, snapshots: int, cluster: dict[str, Any] | None = None
) -> Path:
    run = {"time": f"{0.02 * snapshots}ps", "settings": QUICK, "checkpoint_seconds": 0}
    targets = {"first": {"complex": str(folder.path)}, "second": {"complex": str(folder.path)}}
    cluster = cluster or {"workers": 2}
    return written(place, runs={"rigid": run}, targets=targets, cluster=cluster)


@pytest.mark.slow
def test_failures_do_not_stop_the_rest(folder: ComplexFolder, tmp_path: Path) -> None:
    """A missing folder, an SDF that is none, and a good complex."""
    runs = {"rigid": {"time": "0.1ps", "settings": QUICK}}
    targets = {
        "gone": {"complex": "nowhere"},
        "bad": {"protein": str(LIGANDS), "ligand": str(LIGANDS), "molecule": 1},
        "good": {"complex": str(folder.path)},
    }
    file = written(tmp_path, runs=runs, targets=targets, cluster={"workers": 1})
    result = CliRunner().invoke(cli, ["campaign", str(file)])
    assert result.exit_code == 1
    assert "2 of 6 tasks done" in result.output
    assert "gone/complex: failed: " in result.output and "no complex folder" in result.output
    assert "bad/complex: failed: " in result.output
    assert "bad/rigid: not tried: bad/complex failed" in result.output
    assert (tmp_path / "out" / "good" / "rigid" / "trajectory.xtc").is_file()
    report = json.loads((tmp_path / "out" / "campaign.json").read_text())
    assert [o["state"] for o in report["outcomes"]] == [
        "failed", "not tried", "failed", "not tried", "there already", "done",
    ]  # fmt: skip
    assert report["waiting"] == 0 and report["versions"]["openmm"]


@pytest.mark.slow
def test_kill_9_costs_nothing(folder: ComplexFolder, tmp_path: Path) -> None:
    """Killed while two runs are at work, then resumed: every snapshot of both once, in order."""
    file = two_targets(folder, tmp_path, 400)
    command = [sys.executable, "-m", "openmm_neuralmd.cli", "campaign", str(file)]
    kill_when(tmp_path / "out" / "second" / ".rigid.partial" / "checkpoint.npz", command)
    out = tmp_path / "out"
    assert not list(out.glob("*/rigid"))
    wait_until_silent(out)
    assert CliRunner().invoke(cli, ["campaign", str(file)]).exit_code == 0
    for name in ("first", "second"):
        run = out / name / "rigid"
        trajectory = mdtraj.load(run / "trajectory.xtc", top=run / "topology.pdb")
        np.testing.assert_allclose(trajectory.time, 0.02 * np.arange(1, 401), rtol=1e-5)
        times = np.loadtxt(run / "energies.csv", delimiter=",", skiprows=1)[:, 0]
        np.testing.assert_allclose(times, 0.02 * np.arange(1, 401))
    record = yaml.safe_load((out / "second" / "rigid" / "run.yaml").read_text())
    assert record["resumed_from"] > 0
    states = {o.task: o.state for o in run_campaign(read_campaign(file))}
    assert set(states.values()) == {"there already"}


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(folder: ComplexFolder, tmp_path: Path) -> None:
    """Out of memory, say: Dask begins another worker, which goes on from the checkpoint."""
    file = two_targets(folder, tmp_path, 200)
    work = tmp_path / "out" / "first" / ".rigid.partial"
    killed: list[int] = []

    def kill() -> None:
        deadline = time.monotonic() + 600
        while not killed and time.monotonic() < deadline:
            time.sleep(0.01)
            if (work / "checkpoint.npz").is_file():
                killed.extend(
                    one.pid for one in psutil.Process().children(True) if holds(one, work)
                )
        for pid in killed:
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    outcomes = run_campaign(read_campaign(file))
    killer.join()
    assert len(killed) == 1 and not failures(outcomes)
    for name in ("first", "second"):
        run = tmp_path / "out" / name / "rigid"
        trajectory = mdtraj.load(run / "trajectory.xtc", top=run / "topology.pdb")
        np.testing.assert_allclose(trajectory.time, 0.02 * np.arange(1, 201), rtol=1e-5)
    record = yaml.safe_load((tmp_path / "out" / "first" / "rigid" / "run.yaml").read_text())
    assert record["resumed_from"] > 0


def holds(process: psutil.Process, folder: Path) -> bool:
    """Whether a process has a file of a folder open."""
    try:
        return any(Path(file.path).is_relative_to(folder) for file in process.open_files())
    except psutil.Error:  # it has just ended
        return False


def wait_until_silent(out: Path) -> None:
    """The workers of a killed campaign end with it: nothing is written any more."""
    before: list[int] = []
    for _ in range(20):
        time.sleep(0.5)
        now = [f.stat().st_size for f in sorted(out.rglob("*")) if f.is_file()]
        if now == before:
            return
        before = now
    pytest.fail("workers of a killed campaign go on writing")


def test_a_worker_s_accident_is_a_failure_with_its_traceback(
    folder: ComplexFolder, tmp_path: Path
) -> None:
    """A file stands where a folder is due: not an error of the input that was foreseen."""
    file = two_targets(folder, tmp_path, 2, {"workers": 1})
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "first").write_text("in the way")
    outcomes = run_campaign(read_campaign(file))
    (line,) = failures(outcomes)
    assert line.startswith("first/rigid: failed: unexpected ") and "\n" not in line
    assert "Traceback" in (tmp_path / "out" / "errors" / "first-rigid.txt").read_text()
    assert [o.ok for o in outcomes] == [True, False, True, True]


GOOD = {"runs": {"a": {"time": "1ns"}}, "targets": {"x": {"complex": "c"}}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": {}}, "targets: "),
        ({"targets": {"x": {"protein": "p.pdb"}}}, "a target needs either 'protein' and 'ligand'"),
        ({"targets": {"a b": {"complex": "c"}}}, "targets.a b"),
        ({"targets": {"..": {"complex": "c"}}}, "targets\\.\\.\\."),
        ({"runs": {"..": {"time": "1ns"}}}, "runs\\.\\.\\."),
        ({"targets": {"x": {"complex": "c", "runs": ["b"]}}}, "no run 'b'; there are: a"),
        ({"runs": {"a": {"time": "long"}}}, "runs.a.time: .*'long' is not a time"),
        ({"runs": {"a": {"time": "1ns", "settings": {"mod": "rigid"}}}}, "settings: mod: "),
        ({"runs": {"a": {"time": "1ns", "settings": {"mode": "stiff"}}}}, "unknown mode 'stiff'"),
        (
            {"runs": {"a": {"time": "1ns", "engine": "gromacs", "settings": {"mode": "rigid"}}}},
            "for --engine openmm",
        ),
        ({"runs": {"a": {"time": "1ns", "settings": {"interval_ps": "x"}}}}, "interval_ps: "),
        ({"runs": {"complex": {"time": "1ns"}}}, "cannot be named like the complex folder"),
        ({"prepare": {"solvent": "beer"}}, "unknown solvent 'beer'"),
        ({"prepare": {"ph": "sour"}}, "prepare of x: ph: "),
        ({"cluster": {"kind": "cloud"}}, "cluster.kind: "),
        ({"speed": 3}, "speed: "),
    ],
)
def test_bad_settings_are_refused_before_any_work(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = written(tmp_path, **{**GOOD, **changes})
    with pytest.raises(InputError, match=message) as caught:
        read_campaign(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_slurm_jobs_are_what_the_settings_say() -> None:
    """The script that sbatch gets."""
    pytest.importorskip("dask_jobqueue")
    options = {
        "queue": "gpu",
        "cores": 8,
        "memory": "16GB",
        "walltime": "24:00:00",
        "job_extra_directives": ["--gres=gpu:1"],
    }
    settings = ClusterSettings.model_validate({"kind": "slurm", "options": options})
    with slurm_cluster(settings, scale=False) as cluster:
        script = cluster.job_script()
    for line in ("-p gpu", "--cpus-per-task=8", "-t 24:00:00", "--gres=gpu:1"):
        assert f"#SBATCH {line}" in script
    assert "OPENMM_CPU_THREADS=8" in script and "--nthreads 1" in script
    assert "0.0.0.0" not in script and "--no-dashboard" in script


@pytest.mark.parametrize(
    "options",
    [
        {"colour": "red"},
        {"preload": "/tmp/evil.py"},
        {"scheduler_options": {"preload": "/tmp/evil.py"}},
        {"job_script_prologue": ["touch /tmp/evil"]},
        {"python": "/tmp/evil"},
        {"queue": "main\ntouch /tmp/evil"},
        {"log_directory": "$(touch /tmp/evil)"},
        {"job_extra_directives": ["--wrap=evil"]},
    ],
)
def test_a_settings_file_brings_no_commands_along(options: dict[str, Any], tmp_path: Path) -> None:
    cluster = {"kind": "slurm", "options": options}
    with pytest.raises(InputError, match=r"cluster\.options\."):
        read_campaign(written(tmp_path, **{**GOOD, "cluster": cluster}))


def test_workers_that_cannot_start_are_said_in_one_line() -> None:
    program = """
import resource, signal
from openmm_neuralmd.campaign.cluster import connected
from openmm_neuralmd.campaign.cluster_settings import ClusterSettings
from openmm_neuralmd.errors import ProgramError
if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        with connected(ClusterSettings(workers=1)):
            pass
    except ProgramError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "1 processes cannot start" in done.stdout and "is the disk full" in done.stdout


def test_dask_listens_on_this_machine_alone() -> None:
    from openmm_neuralmd.campaign.cluster import connected

    with connected(ClusterSettings(workers=1)) as client:
        assert client.scheduler is not None and "127.0.0.1" in client.scheduler.address
        page = client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.http_server.address)
        assert page == "127.0.0.1"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(client.dashboard_link)
        workers = client.scheduler_info()["workers"]
        assert all("127.0.0.1" in address for address in workers)


@pytest.mark.slow
@pytest.mark.slurm
def test_a_campaign_on_slurm(folder: ComplexFolder, tmp_path: Path) -> None:
    """A real queue of one node; its jobs are workers that do a task at a time."""
    if absent := slurm.missing():
        assert not os.environ.get("CI"), absent
        pytest.skip(f"SLURM is not installed: {', '.join(absent)}")
    logs = tmp_path / "logs"
    options = {"queue": "main", "cores": 1, "memory": "1500MB", "walltime": "00:10:00"}
    options |= {"log_directory": str(logs)}
    cluster = {"kind": "slurm", "workers": 2, "interface": "lo", "options": options}
    file = two_targets(folder, tmp_path, 20, cluster)
    command = [sys.executable, "-m", "openmm_neuralmd.cli", "campaign", str(file)]
    with slurm.running(tmp_path / "slurm") as environment:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    said = "".join(path.read_text()[-2000:] for path in logs.glob("*.err"))
    assert done.returncode == 0, done.stderr + said
    assert "4 of 4 tasks done" in done.stdout
    assert list(logs.glob("*.out"))  # of jobs that the queue started
    for name in ("first", "second"):
        assert (tmp_path / "out" / name / "rigid" / "trajectory.xtc").is_file()


ROOT = Path(__file__).parents[2]
SETS = sorted((ROOT / "validation" / "reference_sets").glob("*.yaml"))


@pytest.mark.parametrize(
    "file", [ROOT / "examples" / "campaign.yaml", *SETS], ids=lambda path: path.stem
)
def test_the_campaigns_of_this_repository_can_be_read(file: Path) -> None:
    settings = read_campaign(file)
    assert settings.targets and settings.runs


def test_tasks_are_yielded_in_order_and_no_more_than_a_window_wait() -> None:
    from openmm_neuralmd.campaign.cluster import dask, in_turn

    submitted = []

    def work(number: int, divisor: int) -> float:
        time.sleep(0.02 * (number % 3))
        return 6 / (number - divisor)

    options: dict[str, Any] = {"processes": False, "n_workers": 1, "threads_per_worker": 2}
    with dask().Client(dashboard_address=None, **options) as client:
        submit = client.submit
        client.submit = lambda f, k, *more, **how: (
            submitted.append(k),
            submit(f, k, *more, **how),
        )[1]
        taken = []
        for item, result in in_turn(client, work, range(10), 4, 3):
            assert len(submitted) - len(taken) <= 4
            taken.append(item)
            if item == 3:
                assert isinstance(result, ZeroDivisionError)
            else:
                assert result == 6 / (item - 3)
        assert taken == submitted == list(range(10))
        del result
        until = time.monotonic() + 20
        while client.futures and time.monotonic() < until:  # its event loop forgets them
            time.sleep(0.05)
        assert not client.futures
