"""A short run of the kill harness, and the harness itself on commands that do it wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from robustness import kills
from robustness.commands import TARGETS, Target, whole

# Killed at a chosen moment and compared with a whole run elsewhere: campaign/test_campaign.py,
# misato/test_misato.py, hybrid/test_hybrid.py, md/test_reference_md.py, commands/test_resume.py.
CHOSEN = {"campaign", "convert", "hybrid", "reference", "simulate", "train"}


@pytest.mark.parametrize(
    ("kills_", "names"), [(3, sorted(TARGETS.keys() - CHOSEN)), (1, sorted(CHOSEN))]
)
def test_kill_9_leaves_nothing_incomplete_and_the_run_goes_on(
    kills_: int, names: list[str]
) -> None:
    # In a process of its own: a fork of this one, with the threads of every test before, may hang.
    command = [sys.executable, kills.__file__, "--kills", str(kills_), "--no-record"]
    command += ["--command", *names]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("fault", ["half", "other"])
def test_the_harness_sees_what_is_wrong(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that writes in place, and one that goes on as if nothing had been."""

    def begin(place: Path) -> int:
        child = os.fork()
        if child == 0:
            write(place)
        return child

    def write(place: Path) -> None:
        file = place / "x"
        before = len(file.read_bytes()) if file.exists() and fault == "other" else 0
        with file.open("ab" if fault == "other" else "wb", buffering=0) as out:
            for _ in range(20 + before):
                out.write(b"a")
                time.sleep(0.05)
        os._exit(0)

    def begun(arguments: list[str]) -> int:
        return begin(Path(arguments[0]))

    def killed(child: int, after: float) -> None:
        """Kill once something is written: on a busy machine a random moment misses it."""
        while not list(tmp_path.rglob("b/out/x")):
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)

    target = Target(lambda place: [str(place)], {"x": whole})
    monkeypatch.setattr(kills, "TARGETS", {"bad": target})
    monkeypatch.setattr(kills, "begin", begun)
    monkeypatch.setattr(kills, "killed", killed)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert kills.attack("bad", kills=2)["failures"]
