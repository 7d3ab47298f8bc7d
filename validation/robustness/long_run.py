"""Memory and speed of one long run of `simulate` or `hybrid`.

    python validation/robustness/long_run.py simulate [--snapshots 100000] [--minutes 240]
    python validation/robustness/long_run.py hybrid --minutes 120

Resident memory and CPU time are taken after every snapshot.  The first tenth is warm-up; after
it memory may grow by less than 5 %, and the last tenth may not be slower than the one after the
warm-up by more than a fifth.  A call that is interrupted or out of time goes on with the same run
when it is made again, and measures from there.  The record goes to
validation/results/robustness/long_run.json, whether or not the run was whole.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from openmm_neuralmd.examples import example
from openmm_neuralmd.model import load_model
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.provenance import machine, package_versions
from robustness.commands import inputs
from robustness.page import render

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "long_run.json"
MOST_GROWTH, MOST_SLOWING = 0.05, 0.2
NAME, STRIDE_PS = "gpcr-ergotamine", 1.0
Advance = Callable[[int, str], None]


class TimeIsUpError(Exception):
    """The run is left for another call."""


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def verdict(memory: np.ndarray, seconds: np.ndarray) -> dict[str, Any]:
    """Growth and slowing after the warm-up.

    Parameters
    ----------
    memory : (n,) float64
        MB along the run, evenly.
    seconds : (n,) float64
        CPU time since the begin at the same places; wall time would show other programs too.
    """
    tenth = max(len(memory) // 10, 1)
    growth = memory[-tenth:].mean() / memory[tenth : 2 * tenth].mean() - 1
    steps = np.diff(seconds, prepend=0.0)
    slowing = float(np.median(steps[-tenth:]) / np.median(steps[tenth : 2 * tenth]) - 1)
    return {
        "memory_mb": [round(float(memory[tenth]), 1), round(float(memory[-1]), 1)],
        "growth": round(float(growth), 4),
        "slowing": round(slowing, 4),
        "holds": bool(growth < MOST_GROWTH and slowing < MOST_SLOWING),
    }


def run_simulate(snapshots: int, folder: Path, progress: Advance) -> None:
    """A forecast of 5-HT1B with ergotamine in OpenMM."""
    from openmm_neuralmd.simulation.run import RunSettings, simulate

    known, model = example(NAME)[:84], load_model(NAME)
    simulate(
        model,
        known.complex,
        known,
        snapshots,
        folder / "long.dcd",
        settings=RunSettings(platform="Reference"),
        progress=progress,
    )


def run_jumps(snapshots: int, folder: Path, progress: Advance) -> None:
    """Independent poses and MD of T4 lysozyme with p-xylene in turn."""
    from openmm_neuralmd.hybrid.run import run_hybrid
    from openmm_neuralmd.hybrid.settings import HybridSettings, JumpSettings
    from openmm_neuralmd.md.settings import MDSettings

    threads = {"Threads": "1"}
    md = MDSettings(mode="pocket", platform="CPU", properties=threads, equilibration_ps=1.0)
    settings = HybridSettings(md=md, jump=JumpSettings(relaxation="drag"))
    run_hybrid(
        "neuralmd-ou",
        inputs() / "t4l",
        folder / "long",
        STRIDE_PS * snapshots,
        settings=settings,
        progress=progress,
    )


COMMANDS = {"simulate": run_simulate, "hybrid": run_jumps}


def measure(command: str, snapshots: int, minutes: float, folder: Path) -> dict[str, Any]:
    """Run a command until it ends or the time is up; what memory and time did."""
    began = time.monotonic()
    samples: list[tuple[float, float]] = []

    def progress(new: int, _: str) -> None:
        if new == 1:
            samples.append((resident(), time.process_time()))
        if time.monotonic() - began > 60 * minutes:
            raise TimeIsUpError

    folder.mkdir(parents=True, exist_ok=True)
    try:
        COMMANDS[command](snapshots, folder, progress)
    except TimeIsUpError:
        print("time is up; call again to go on")
    memory, seconds = np.array(samples).T
    return {
        "snapshots": len(samples),
        "hours": (time.monotonic() - began) / 3600,
        **verdict(memory, seconds),
        "machine": machine(),
        "versions": package_versions(),
    }


def main() -> None:
    """Run, measure, and write the record and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--snapshots", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--work", type=Path, default=Path("build/long_run"))
    a = parser.parse_args()
    one = measure(a.command, a.snapshots, a.minutes, a.work / a.command)
    print({key: value for key, value in one.items() if key not in ("machine", "versions")})
    before = json.loads(RESULT.read_text())["commands"] if RESULT.is_file() else {}
    limits = {"growth": MOST_GROWTH, "slowing": MOST_SLOWING}
    with complete(RESULT) as temporary:
        content = {"limits": limits, "commands": before | {a.command: one}}
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    render()
    sys.exit(not one["holds"])


if __name__ == "__main__":
    main()
