"""Memory and speed of one long run of `simulate`.

    python validation/robustness/long_run.py [--snapshots 100000] [--minutes 240]

Resident memory and wall time are taken a thousand times along the way.  The first tenth is
warm-up; after it memory may grow by less than 5 %, and the last tenth may not be slower than the
first after the warm-up by more than a fifth.  An interrupted call goes on with the same run.  The
record goes to validation/results/robustness/long_run.json, whether or not the run was whole.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from openmm_neuralmd.examples import example
from openmm_neuralmd.model import load_model
from openmm_neuralmd.simulation.run import RunSettings, simulate
from openmm_neuralmd.utils.provenance import machine, package_versions

RESULT = Path(__file__).parents[1] / "results" / "robustness" / "long_run.json"
MOST_GROWTH, MOST_SLOWING = 0.05, 0.2
NAME = "gpcr-ergotamine"


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
        Wall time since the begin at the same places.
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


def main() -> None:
    """Run, measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--snapshots", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--output", type=Path, default=Path("build/long_run/long.dcd"))
    a = parser.parse_args()
    known, model = example(NAME)[:84], load_model(NAME)
    every, began, done = max(a.snapshots // 1000, 1), time.monotonic(), 0
    samples: list[tuple[int, float, float]] = []

    def progress(new: int, _: str) -> None:
        nonlocal done
        done += new
        if done % every == 0 and new == 1:
            samples.append((done, resident(), time.monotonic() - began))
        if time.monotonic() - began > 60 * a.minutes:
            raise TimeIsUpError

    settings = RunSettings(platform="Reference")
    a.output.parent.mkdir(parents=True, exist_ok=True)
    try:
        simulate(
            model, known.complex, known, a.snapshots, a.output, settings=settings, progress=progress
        )
    except TimeIsUpError:
        print("time is up; call again to go on")
    _, memory, seconds = np.array(samples).T
    content = {
        "asked": a.snapshots,
        "measured": [samples[0][0], samples[-1][0]],
        **verdict(memory, seconds),
        "complete": samples[-1][0] >= a.snapshots,
        "machine": machine(),
        "versions": package_versions(),
    }
    print({k: v for k, v in content.items() if k not in ("machine", "versions")})
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.exit(not (content["holds"] and content["complete"]))


if __name__ == "__main__":
    main()
