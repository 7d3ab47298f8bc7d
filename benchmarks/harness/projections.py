"""Projections of the cost models for work that was not done, with their assumptions.

A range is a pair (least, greatest): the least time takes the favourable end of every assumption,
the greatest the other end.  No GPU and no cluster has run any of this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Range = tuple[float, float]
Cost = Callable[[Mapping[str, float]], float]

HOURS = 3600.0


@dataclass(frozen=True)
class GPUAssumptions:
    """Assumed of the GPUs and of the training; (favourable, unfavourable).

    Attributes
    ----------
    complexes, snapshots, epochs, every : int
        MISATO's complexes and snapshots (the paper); epochs and snapshots from one window to the
        next (chosen: the default of `neuralmd train` has 40 epochs and a window at each snapshot).
    atoms, residues : tuple of float
        Heavy atoms of a ligand and residues of a protein, taken for all complexes.
    peak_tflops, bandwidth_tb, memory_gb : float
        Of one GPU in float32: NVIDIA's data sheet of the A100 (SXM, 80 GB).
    compute_share, bandwidth_share : tuple of float
        Of those, sustained.
    traffic : tuple of float
        Bytes read and written for each byte of results.
    launch_us : tuple of float
        Time to begin an operation, which bounds small batches from below.
    batch : tuple of int
        Windows at once on one GPU: less where memory does not hold them.
    efficiency : dict
        Of data-parallel training, by the number of GPUs.
    """

    complexes: int = 17_000
    snapshots: int = 100
    epochs: int = 40
    every: int = 4
    atoms: Range = (20.0, 40.0)
    residues: Range = (200.0, 600.0)
    peak_tflops: float = 19.5
    bandwidth_tb: float = 2.0
    memory_gb: float = 80.0
    compute_share: Range = (0.4, 0.05)
    bandwidth_share: Range = (0.7, 0.3)
    traffic: Range = (2.0, 4.0)
    launch_us: Range = (4.0, 12.0)
    batch: tuple[int, int] = (64, 8)
    efficiency: tuple[tuple[int, Range], ...] = (
        (1, (1.0, 1.0)),
        (8, (0.95, 0.7)),
        (64, (0.9, 0.4)),
    )


@dataclass(frozen=True)
class NodeAssumptions:
    """Assumed of the cluster and of the poses; (favourable, unfavourable).

    Attributes
    ----------
    poses, nodes : int
    cores : tuple of float
        Of one node.
    speed : tuple of float
        Of a core with all others at work, relative to the one that was measured.
    heavy_atoms, pocket_atoms : tuple of float
        Of a drug-like ligand and its pocket, taken for all poses.
    scheduler : tuple of float
        Time of the scheduler for a task across a network, relative to that on one machine.
    """

    poses: int = 1_000_000
    nodes: int = 100
    cores: Range = (128.0, 32.0)
    speed: Range = (1.5, 0.5)
    heavy_atoms: Range = (20.0, 40.0)
    pocket_atoms: Range = (150.0, 350.0)
    scheduler: Range = (1.0, 5.0)


def seconds_on_a_gpu(
    assumed: GPUAssumptions, end: int, costs: Mapping[str, float], batch: int
) -> float:
    """Seconds of one call on one GPU, at an end of the ranges.

    Arithmetic, memory traffic and the beginning of operations each bound it from below; the
    favourable end takes the largest of the three, the other end their sum.

    Parameters
    ----------
    costs : mapping
        'gigaflops', 'operations' and 'megabytes' of the call.
    batch : int
        Calls that are done at once: operations are begun once for all of them.
    """
    arithmetic = costs["gigaflops"] / (1e3 * assumed.peak_tflops * assumed.compute_share[end])
    moved = costs["megabytes"] * assumed.traffic[end]
    traffic = moved / (1e6 * assumed.bandwidth_tb * assumed.bandwidth_share[end])
    begun = costs["operations"] * 1e-6 * assumed.launch_us[end] / batch
    return max(arithmetic, traffic, begun) if end == 0 else arithmetic + traffic + begun


def training(models: Mapping[str, Cost], horizon: int, assumed: GPUAssumptions) -> dict[str, Any]:
    """Hours of training on all complexes on 1, 8 and 64 GPUs.

    Parameters
    ----------
    models : mapping of str to callable
        Costs of the gradient of a window of `horizon` snapshots, by 'gigaflops' and so on.
    """
    windows = assumed.complexes * (assumed.snapshots // assumed.every) * assumed.epochs
    seconds, batches = [], []
    for end in (0, 1):
        atoms, residues = assumed.atoms[end], assumed.residues[end]
        sizes = {"complex": 1.0, "atoms": atoms, "pairs": atoms**2, "residues": residues}
        costs = {name: cost(sizes) for name, cost in models.items()}
        # All results of a gradient at once: more than is held, since not all of them are.
        most = int(1e3 * assumed.memory_gb / costs["megabytes"])
        batches.append(max(1, min(assumed.batch[end], most)))
        seconds.append(seconds_on_a_gpu(assumed, end, costs, batches[-1]))
    hours = {
        str(gpus): [windows * s / (gpus * e) / HOURS for s, e in zip(seconds, efficiency)]
        for gpus, efficiency in assumed.efficiency
    }
    return {
        "assumed": asdict(assumed),
        "windows": windows,
        "snapshots_per_window": horizon,
        "batch": batches,
        "windows_per_second": [1.0 / s for s in seconds],
        "hours": hours,
    }


def docked_poses(
    prediction: Cost,
    *,
    task_ms: float,
    poses_per_task: int,
    tasks_per_core: int,
    write_ms: Range,
    record_ms: float,
    stored_mb: Range,
    written_mb: Range,
    memory_kb_per_task: float,
    assumed: NodeAssumptions,
) -> dict[str, Any]:
    """Hours of one-structure predictions on a cluster, and what each part of it bounds.

    Parameters
    ----------
    prediction : callable
        CPU milliseconds of a pose on the machine of the measurement, by its sizes.
    task_ms : float
        Time of the scheduler for a task; a batch of poses is predicted in one and written in
        another.
    poses_per_task, tasks_per_core : int
        Poses of a task, and tasks that the scheduler has at once.
    write_ms : tuple of float
        CPU milliseconds of a worker that writes a pose's files.
    record_ms : float
        CPU milliseconds of the process that collects table and record, for a pose.
    stored_mb, written_mb : tuple of float
        Of one pose, between and in the output.
    memory_kb_per_task : float
        Of the scheduler and client for a task that waits.
    """
    hours: dict[str, list[float]] = {
        "predictions, all cores": [],
        "files of the output, all cores": [],
        "scheduler, one process": [],
        "table and record, one process": [],
    }
    batches = assumed.poses // poses_per_task
    for end in (0, 1):
        sizes = {
            "pose": 1.0,
            "heavy atoms": assumed.heavy_atoms[end],
            "pocket atoms": assumed.pocket_atoms[end],
        }
        cores = assumed.nodes * assumed.cores[end]
        milliseconds = (
            assumed.poses * prediction(sizes) / cores / assumed.speed[end],
            assumed.poses * write_ms[end] / cores / assumed.speed[end],
            2 * batches * task_ms * assumed.scheduler[end],
            assumed.poses * record_ms / assumed.speed[end],
        )
        for part, value in zip(hours.values(), milliseconds, strict=True):
            part.append(value / 1e3 / HOURS)
    waiting = [min(batches, assumed.nodes * c * tasks_per_core) for c in assumed.cores]
    return {
        "assumed": asdict(assumed),
        "tasks": 2 * batches,
        "hours": hours,
        "scheduler_mb": [count * memory_kb_per_task / 1e3 for count in waiting],
        "stored_gb": [assumed.poses * one / 1e3 for one in stored_mb],
        "written_gb": [assumed.poses * one / 1e3 for one in written_mb],
    }
