"""Benchmark of many replicas at once: snapshots per second relative to one replica.

    python benchmarks/batch.py [--repeats 5] [--quick]

One thread, and as many as there are cores.  Batching saves the cost of beginning many small
operations, and gives several threads something to share: the arithmetic stays the same.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Any

import torch
from harness import NETWORKS, arguments, matmul1024, race, random_model, write

from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.trajectory.history import History

REPLICAS = {
    ("small", "t4l-p-xylene"): (1, 8, 32, 128, 1024),
    ("small", "gpcr-ergotamine"): (1, 8, 32, 128),
    ("default", "gpcr-ergotamine"): (1, 8, 32),
}
SNAPSHOTS = 2
"""Forecast in a call: starting costs little, and is part of it."""
SECONDS = 15.0
"""For each size and number of threads: the largest batch takes some seconds a call."""


def rows_of(
    size: str, name: str, replicas: tuple[int, ...], threads: int, repeats: int
) -> list[dict[str, Any]]:
    """One row for each number of replicas, all timed in turn with a matrix product."""
    print(f"{size} network, {name}, threads: {threads}", file=sys.stderr, flush=True)
    torch.set_num_threads(threads)
    complex = example_complex(name)
    model = random_model(NETWORKS[size], complex)
    known = History.of(None, complex).ligand
    calls = {
        str(count): partial(rollout, model, complex, known, SNAPSHOTS, replicas=count)
        for count in replicas
    }
    times = race({**calls, "matmul1024": matmul1024()}, repeats, seconds=SECONDS)
    rate = {c: c * SNAPSHOTS / times[str(c)]["median"] * 1000.0 for c in replicas}
    return [
        {
            "network": size,
            "complex": name,
            "threads": threads,
            "replicas": count,
            "rate_over_one_replica": rate[count] / rate[replicas[0]],
            "snapshots_per_second": rate[count],
            "ms": times[str(count)],
            "matmul1024_ms": times["matmul1024"],
        }
        for count in replicas
    ]


def main() -> None:
    """Measure each size with one thread and with all."""
    given = arguments(__doc__, repeats=5)
    rows = []
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        for (size, name), replicas in REPLICAS.items():
            some = replicas[:2] if given.quick else replicas
            rows += rows_of(size, name, some, threads, given.repeats)
    what = f"rollout of {SNAPSHOTS} snapshots a call from one known snapshot, CPU"
    write(given.results, "batch", what, rows)


if __name__ == "__main__":
    main()
