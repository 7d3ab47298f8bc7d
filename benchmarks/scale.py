"""Cost of a complex, and projections for all of MISATO and for a million docked poses.

    python benchmarks/scale.py [--repeats 3] [--quick]

Cost models are fitted to operations, which no load of a machine changes, and to CPU time of one
thread; each says how wrong it is on a complex that it was not fitted to.  Dask's scheduler does
10,000 tasks that do nothing.  What follows is arithmetic with assumptions, which stand beside it.
"""

from __future__ import annotations

import gc
import operator
import sys
import time
from typing import Any

from harness import NETWORKS, arguments, network_costs, pose_costs, projections, write
from harness.cost_model import CostModel
from harness.memory import resident

from openmm_neuralmd.campaign.cluster import connected, dask, in_turn
from openmm_neuralmd.campaign.cluster_settings import ClusterSettings
from openmm_neuralmd.prediction.many import BATCH, WINDOW

TASKS, ROUNDS = 10_000, 5
AT_ONCE = 64
"""Tasks that are submitted and not taken yet."""


def scheduler(tasks: int) -> dict[str, Any]:
    """CPU time of a task that does nothing, and memory, of the process with scheduler and client.

    First one round of tasks waits at once, which gives the memory of a task; then every round is
    submitted in turn, as predictions are: what is held between rounds would grow with a campaign.
    """
    size = tasks // ROUNDS
    memory, seconds = [], []
    with connected(ClusterSettings(workers=2)) as client:
        client.submit(operator.neg, 1).result()
        before = resident("VmRSS")
        futures = [client.submit(operator.neg, k, pure=False) for k in range(size)]
        for _ in dask().as_completed(futures):
            pass
        waiting = resident("VmRSS")
        del futures, _
        gc.collect()
        first = resident("VmRSS")
        for number in range(ROUNDS):
            print(f"scheduler: round {number + 1} of {ROUNDS}", file=sys.stderr, flush=True)
            began = time.process_time()
            for k, result in in_turn(client, operator.neg, range(size), AT_ONCE):
                assert result == -k
            seconds.append(time.process_time() - began)
            gc.collect()
            memory.append(resident("VmRSS"))
    return {
        "tasks": size * ROUNDS,
        "at_once": AT_ONCE,
        "ms_per_task": sorted(1e3 * one / size for one in seconds),
        "mb_before": first,
        "mb_after": memory,
        "kb_per_future": 1e3 * (waiting - before) / size,
        "kb_per_task_kept": 1e3 * (memory[-1] - memory[0]) / (size * (ROUNDS - 1)),
    }


def cost_of(model: dict[str, Any]) -> projections.Cost:
    """The cost by the sizes of a case."""
    return CostModel(**model).at


def all_costs(models: dict[str, Any]) -> dict[str, projections.Cost]:
    """The costs that do not depend on the machine."""
    return {name: cost_of(models[name]) for name in ("gigaflops", "operations", "megabytes")}


def follows(network: dict[str, Any], poses: dict[str, Any], tasks: dict[str, Any]) -> dict:
    """Training on MISATO and a million poses, see `projections`."""

    def ends(name: str) -> projections.Range:
        values = [row[name] for row in poses["poses"]]
        return min(values), max(values)

    return {
        "misato": projections.training(
            all_costs(network["models"]["gradient"]),
            network["window"],
            projections.GPUAssumptions(),
        ),
        "poses": projections.docked_poses(
            cost_of(poses["model"]),
            task_ms=tasks["ms_per_task"][len(tasks["ms_per_task"]) // 2],
            poses_per_task=BATCH,
            tasks_per_core=WINDOW,
            write_ms=ends("write_ms"),
            record_ms=poses["record_ms"],
            stored_mb=ends("stored_mb"),
            written_mb=ends("written_mb"),
            memory_kb_per_task=tasks["kb_per_future"],
            assumed=projections.NodeAssumptions(),
        ),
    }


def main() -> None:
    """Measure, fit, and project."""
    given = arguments(__doc__, repeats=3)
    count = 6 if given.quick else 9
    size = "small" if given.quick else "default"
    tasks = scheduler(500 if given.quick else TASKS)
    network = network_costs.measured(NETWORKS[size], count, given.repeats)
    poses = pose_costs.measured(count - 1, given.repeats)
    rows = [
        {"cost": f"{kind}, {cost}", **model["coefficients"], **_errors(model)}
        for kind, models in network["models"].items()
        for cost, model in models.items()
    ]
    rows.append({"cost": "pose, ms", **poses["model"]["coefficients"], **_errors(poses["model"])})
    write(
        given.results,
        "scale",
        f"NeuralMD-ODE of the {size} network; prediction from one structure by NeuralMD-OU",
        rows,
        size=size,
        network=network,
        poses=poses,
        scheduler=tasks,
        follows=follows(network, poses, tasks),
    )


def _errors(model: dict[str, Any]) -> dict[str, float]:
    return {name: model[name] for name in ("left_out_median", "left_out_greatest")}


if __name__ == "__main__":
    main()
