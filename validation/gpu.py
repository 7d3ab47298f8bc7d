"""All measurements on a GPU, in one call of under eight minutes, without a network.

    python validation/gpu.py [--platform CUDA] [--budget 460] [--json out.json]

Stages run one after the other, each in a process of its own with a time limit: a crash or a stage
that hangs costs its own result only.  The result file has hardware, versions, what each stage
found, and the reason for each stage that was skipped or failed.  Exit code 1 if a stage failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmm_neuralmd.errors import NeuralMDError, one_line
from openmm_neuralmd.utils.platforms import choose_platform
from result_files import ROOT, save

BUDGET = 460.0
"""Seconds of all stages together."""
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TAIL = 2000  # characters of a failed stage's output


@dataclass(frozen=True)
class Stage:
    """One program.

    Attributes
    ----------
    name : str
    command : tuple of str
    least, most : float
        Seconds: it is skipped with less than `least` left of the budget, and ended after `most`.
    result : Path or None
        JSON that it writes, which becomes part of the result.
    """

    name: str
    command: tuple[str, ...]
    least: float
    most: float
    result: Path | None = None

    def run(self, left: float, platform: str) -> dict[str, Any]:
        """Status, seconds, and the stage's own result or the end of its output."""
        if left < self.least:
            why = (
                f"it takes {self.least:.0f} s or more, and the budget has {max(left, 0):.0f} s left"
            )
            return {"status": SKIPPED, "reason": why}
        began, limit = time.perf_counter(), min(left, self.most)
        threads = str(len(os.sched_getaffinity(0)))
        environment = {"OMP_NUM_THREADS": threads, **os.environ, "NEURALMD_GPU_PLATFORM": platform}
        try:
            done = subprocess.run(
                self.command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=limit,
            )
        except subprocess.TimeoutExpired:
            status = FAILED if limit == self.most else SKIPPED
            return {"status": status, "reason": f"did not end within {limit:.0f} s"}
        except OSError as error:
            return {"status": SKIPPED, "reason": one_line(error)}
        outcome: dict[str, Any] = {"seconds": round(time.perf_counter() - began, 1)}
        if self.result is not None and self.result.is_file():
            outcome["result"] = json.loads(self.result.read_text(encoding="utf-8"))
        elif done.returncode == 0:
            outcome["output"] = done.stdout[-TAIL:]
        if done.returncode != 0:
            ending = (done.stdout + done.stderr)[-TAIL:]
            return {
                "status": FAILED,
                "reason": f"exit code {done.returncode}",
                "output": ending,
            } | outcome
        return {"status": PASSED, **outcome}


def contract(precision: str, platform: str, work: Path) -> Stage:
    """Every feature against the Reference platform."""
    file = work / f"platforms-{precision}.json"
    program = (sys.executable, "validation/platforms.py", "--platform", platform)
    options = ("--precisions", precision, "--json", str(file))
    return Stage(f"contract, {precision} precision", (*program, *options), 30, 150, file)


def stages(platform: str, work: Path) -> list[Stage]:
    """Stages of the run, the most important first."""
    python, neuralmd = sys.executable, (sys.executable, "-m", "openmm_neuralmd.cli")
    folder, model, md = work / "t4l", "gpcr-ergotamine", work / "md"
    checks = "tests/simulation/test_platforms.py"
    return [
        Stage("environment", (*neuralmd, "doctor"), 5, 60),
        Stage("hardware", ("nvidia-smi", "-q", "-d", "CLOCK,MEMORY,UTILIZATION"), 5, 20),
        contract("mixed", platform, work),
        Stage(
            "faults of GPU platforms",
            (python, "-m", "pytest", "-q", checks, "-k", "not precision and not cpu_is"),
            30,
            150,
        ),
        Stage("complex", (python, "validation/t4_lysozyme.py", str(folder)), 5, 60),
        Stage(
            "simulate",
            (*neuralmd, "simulate", model, "--example", model, "--start", "199")
            + ("--time", "300ns", "--platform", platform, "--property", "Precision=mixed")
            + ("-o", str(work / "learned.dcd")),
            10,
            90,
        ),
        Stage(
            "reference run",
            (*neuralmd, "reference", str(folder), "--mode", "flexible", "--time", "2ps")
            + ("--equilibration", "2ps", "--platform", platform, "-o", str(md)),
            20,
            120,
        ),
        Stage(
            "speedup",
            (python, "validation/speedup.py", "--platform", platform, "--engines", "openmm")
            + ("--quick", "--backends", "PythonForce")
            + ("--work", str(work / "speedup"), "--json", str(work / "speedup.json")),
            30,
            150,
            work / "speedup.json",
        ),
        contract("single", platform, work),
        contract("double", platform, work),
        Stage(
            "benchmark of one force",
            (python, "benchmarks/force.py", "--quick", "--results", str(work)),
            20,
            120,
            work / "force.json",
        ),
    ]


def main() -> None:
    """Run the stages, print a line for each, write the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--platform", default="CUDA", help="OpenCL exercises the kit without a GPU")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds of all stages")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "gpu")
    parser.add_argument("--json", type=Path, help="default: in validation/results/")
    given = parser.parse_args()
    try:
        choose_platform(given.platform)
    except NeuralMDError as error:
        sys.exit(f"error: {one_line(error)}; pip install -e '.[cuda12]', and see docs/howto/gpu.md")
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    began, outcome = time.perf_counter(), {}
    for stage in stages(given.platform, given.work.resolve()):
        left = given.budget - (time.perf_counter() - began)
        print(f"{stage.name} ...", file=sys.stderr, flush=True)
        outcome[stage.name] = row = stage.run(left, given.platform)
        duration = f"{row['seconds']:g} s" if "seconds" in row else ""
        print(
            f"{stage.name}: {row['status']} {duration} {row.get('reason', '')}".rstrip(), flush=True
        )
    seconds = round(time.perf_counter() - began, 1)
    result = {"platform": given.platform, "seconds": seconds, "stages": outcome}
    save(f"gpu-{given.platform.lower()}", result, given.json)
    print(f"{seconds:.0f} s in all")
    for name, row in outcome.items():
        if row["status"] != PASSED:
            print(f"{row['status']}: {name}: {row['reason']}")
    sys.exit(any(row["status"] == FAILED for row in outcome.values()))


if __name__ == "__main__":
    main()
