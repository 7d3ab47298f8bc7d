"""Workers for a campaign: processes of this machine, or jobs of SLURM; by Dask."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster

from ..errors import InputError, one_line
from .settings import ClusterSettings

LOST = 2
"""Workers that a task may lose (crashes, memory) before it counts as failed."""


@contextmanager
def connected(settings: ClusterSettings) -> Iterator[Client]:
    """A Dask client; its workers end with the block, and with this process.

    Raises
    ------
    InputError
        dask-jobqueue is missing, or does not take the options.
    """
    make = {"local": _local, "slurm": slurm_cluster}[settings.kind]
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with make(settings) as cluster, Client(cluster) as client:
        yield client


def _local(settings: ClusterSettings) -> LocalCluster:
    """A process for each task at once; the cores are shared out among them."""
    if settings.options:
        raise InputError("cluster.options are for kind slurm; a local cluster has workers only")
    cores = len(os.sched_getaffinity(0))
    workers = settings.workers or cores
    threads = str(max(1, cores // workers))
    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
        memory_limit=0,
        env={"OPENMM_CPU_THREADS": threads, "OMP_NUM_THREADS": threads},
    )


def slurm_cluster(settings: ClusterSettings, scale: bool = True) -> Any:
    """Jobs of SLURM, each with one worker that does one task at a time.

    Parameters
    ----------
    settings : ClusterSettings
    scale : bool
        Submit the jobs now.

    Raises
    ------
    InputError
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise InputError(
            "cluster.kind slurm needs dask-jobqueue: pip install dask-jobqueue"
        ) from error
    options = {"cores": 1, "memory": "4GB", **settings.options, "processes": 1}
    options.setdefault("scheduler_options", {"dashboard_address": ":0"})
    cores = int(options["cores"])
    script = [f"export OMP_NUM_THREADS={cores} OPENMM_CPU_THREADS={cores}"]
    options["job_script_prologue"] = [*script, *options.get("job_script_prologue", ())]
    options["worker_extra_args"] = ["--nthreads", "1", *options.get("worker_extra_args", ())]
    try:
        cluster = SLURMCluster(**options)
    except (TypeError, ValueError, RuntimeError) as error:  # the last: no such network interface
        raise InputError(f"cluster.options: {one_line(error)}") from error
    if scale:
        cluster.scale(jobs=settings.workers or 1)
    return cluster
