"""Many replicas at once: snapshots a second of `rollout`, in multiples of one replica's.

    python benchmarks/batch.py [--repeats 5] [--quick]

One thread, CPU: what batching saves is the cost of many small operations, not of arithmetic.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from harness import NETWORKS, arguments, matmul1024, race, random_model, write

from openmm_neuralmd.examples import example
from openmm_neuralmd.rollouts import rollout

REPLICAS = {"small": (1, 8, 32, 128), "default": (1, 8, 32)}
SNAPSHOTS, KNOWN = 2, 20
"""Forecast in a call, and known before it: starting costs little, and is part of it."""


def rows_of(size: str, replicas: tuple[int, ...], repeats: int) -> list[dict[str, Any]]:
    """One row for each number of replicas, all timed in turn with a matrix product."""
    snapshots = example("gpcr-ergotamine")
    model = random_model(NETWORKS[size], snapshots.complex)
    known = snapshots.ligand[:KNOWN]
    calls = {
        str(count): partial(
            rollout, model, snapshots.complex, np.repeat(known[None], count, axis=0), SNAPSHOTS
        )
        for count in replicas
    }
    times = race({**calls, "matmul1024": matmul1024()}, repeats)
    rate = {c: c * SNAPSHOTS / times[str(c)]["median"] * 1000.0 for c in replicas}
    return [
        {
            "network": size,
            "replicas": count,
            "rate_over_one_replica": rate[count] / rate[replicas[0]],
            "snapshots_per_second": rate[count],
            "ms": times[str(count)],
            "matmul1024_ms": times["matmul1024"],
        }
        for count in replicas
    ]


def main() -> None:
    """Measure both sizes."""
    given = arguments(__doc__, repeats=5)
    rows = []
    for size, replicas in REPLICAS.items():
        rows += rows_of(size, replicas[:2] if given.quick else replicas, given.repeats)
    what = f"rollout of 5-HT1B with ergotamine, {SNAPSHOTS} snapshots a call, CPU"
    write(given.results, "batch", what, rows)


if __name__ == "__main__":
    main()
