"""Workers for a campaign: processes of this machine, or jobs of SLURM; by Dask."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..errors import InputError, ProgramError, one_line
from ..utils.optional import optional_import
from .cluster_settings import ClusterSettings, SlurmOptions

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

LOOPBACK = "127.0.0.1"

LOST = 2
"""Workers that a task may lose (crashes, memory) before it counts as failed."""


def dask() -> Any:
    """Import Dask's scheduler and workers."""
    return optional_import("distributed", extra="campaign", purpose="a campaign")


@contextmanager
def connected(settings: ClusterSettings) -> Iterator[Client]:
    """A Dask client; its workers end with the block, and with this process.

    Raises
    ------
    InputError
        dask-jobqueue is missing, or does not take the options.
    ProgramError
        The processes of a local cluster cannot start.
    """
    make = {"local": _local, "slurm": slurm_cluster}[settings.kind]
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with make(settings) as cluster, dask().Client(cluster) as client:
        yield client


def in_turn(
    client: Client, function: Callable[..., Any], items: Iterable[Any], window: int, *more: Any
) -> Iterator[tuple[Any, Any]]:
    """Yield each item with function(item, *more), or its exception, in the order of the items.

    No more than `window` items are with the scheduler or wait for one before them, and one that
    has been yielded is forgotten: memory does not grow with the number of items.
    """
    waiting: deque[tuple[Any, Future]] = deque()
    ended = dask().as_completed(with_results=True, raise_errors=False)
    results: dict[Any, Any] = {}
    remaining = iter(items)
    while True:
        for item in islice(remaining, window - len(waiting)):
            waiting.append((item, client.submit(function, item, *more, pure=False)))
            ended.add(waiting[-1][1])
        if not waiting:
            return
        # Results are fetched together: one by one, each would take the time of a message.
        for future, result in ended.next_batch():
            results[future.key] = result if future.status == "finished" else future.exception()
            del future
        while waiting and waiting[0][1].key in results:
            item, future = waiting.popleft()
            yield item, results.pop(future.key)
            del future


def workers_of(settings: ClusterSettings) -> int:
    """Count the workers of a cluster: one for each core of this machine by default."""
    return settings.workers or len(os.sched_getaffinity(0))


def _local(settings: ClusterSettings) -> LocalCluster:
    """A process for each task at once; the cores are shared out among them."""
    if settings.options != SlurmOptions() or settings.interface is not None:
        raise InputError(
            "cluster.options and cluster.interface are for kind slurm; a local cluster has workers "
            "only"
        )
    cores = len(os.sched_getaffinity(0))
    workers = workers_of(settings)
    threads = str(max(1, cores // workers))
    try:
        local: LocalCluster = dask().LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host=LOOPBACK,
            dashboard_address=f"{LOOPBACK}:0" if settings.dashboard else None,
            silence_logs=logging.CRITICAL,
            memory_limit=0,
            env={"OPENMM_CPU_THREADS": threads, "OMP_NUM_THREADS": threads},
        )
    except (OSError, RuntimeError) as error:
        raise ProgramError(
            f"the cluster's {workers} processes cannot start on this machine ({one_line(error)}); "
            "is the disk full, or are files or processes limited here?"
        ) from error
    return local


def slurm_cluster(settings: ClusterSettings, scale: bool = True) -> Any:
    """Jobs of SLURM, each with one worker that does one task at a time.

    Dask's scheduler obeys whoever reaches its port.  It therefore listens on this machine alone
    unless the settings name the network interface of the cluster.

    Parameters
    ----------
    settings : ClusterSettings
    scale : bool
        Submit the jobs now.

    Raises
    ------
    InputError
    """
    jobqueue = optional_import("dask_jobqueue", extra="slurm", purpose="cluster.kind slurm")
    options = settings.options.model_dump(exclude_none=True, exclude={"modules"})
    cores, modules = settings.options.cores, settings.options.modules
    options["job_extra_directives"] = list(settings.options.job_extra_directives)
    options["job_script_prologue"] = [
        *(f"module load {name}" for name in modules),
        f"export OMP_NUM_THREADS={cores} OPENMM_CPU_THREADS={cores}",
    ]
    listening = {"dashboard_address": f"{LOOPBACK}:0", "dashboard": settings.dashboard}
    if settings.interface is None:
        listening["host"] = LOOPBACK
    else:
        options["interface"] = settings.interface
    options |= {
        "processes": 1,
        "worker_extra_args": ["--nthreads", "1", "--no-dashboard"],
        "scheduler_options": listening,
    }
    try:
        cluster = jobqueue.SLURMCluster(**options)
    except (TypeError, ValueError, RuntimeError) as error:  # the last: no such network interface
        raise InputError(f"cluster.options: {one_line(error)}") from error
    if scale:
        cluster.scale(jobs=settings.workers or 1)
    return cluster
