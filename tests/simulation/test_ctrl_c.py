"""Ctrl-C at any moment of a run ends as Ctrl-C, and the run goes on where it was."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from mm_models import make_known, make_model
from openmm_neuralmd.simulation.run import RunSettings, simulate
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.utils.interrupts import whole_step

SNAPSHOTS = 40
HEADER = 276  # bytes of a DCD file before its first frame; the date is among them


def test_the_step_is_whole() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), whole_step():
        os.kill(os.getpid(), signal.SIGINT)
        done.append("the rest of the step")
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_are_left_alone() -> None:
    done: list[int] = []

    def work() -> None:
        with whole_step():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]


def test_ctrl_c_within_the_learned_force(t4l: Complex, tmp_path: Path) -> None:
    """Interrupted again and again, the run ends with the same bytes."""
    model, known = make_model(refinement=0.3, memory=(3.0, 10.0), coupling=0.2), make_known(t4l, 8)
    options: dict[str, Any] = {
        "settings": RunSettings(platform="Reference"),
        "checkpoint_every": 2,
    }
    whole = simulate(model, t4l, known, SNAPSHOTS, tmp_path / "whole.dcd", **options)

    def begun(done: int, note: str) -> None:
        """A moment after a snapshot, Ctrl-C: within the next ones."""
        if not any(isinstance(thread, threading.Timer) for thread in threading.enumerate()):
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            simulate(model, t4l, known, SNAPSHOTS, tmp_path / "cut.dcd", progress=begun, **options)
    cut = simulate(model, t4l, known, SNAPSHOTS, tmp_path / "cut.dcd", **options)
    assert cut.trajectory.read_bytes()[HEADER:] == whole.trajectory.read_bytes()[HEADER:]
