"""A SLURM of one node, started for the tests and ended after them."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "sinfo")
_SETTINGS = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CryptoType=crypto/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SchedulerType=sched/builtin
SlurmctldPort={controller}
SlurmdPort={node}
SlurmctldPidFile={place}/slurmctld.pid
SlurmdPidFile={place}/slurmd.pid
StateSaveLocation={place}/state
SlurmdSpoolDir={place}/spool
SlurmctldLogFile={place}/slurmctld.log
SlurmdLogFile={place}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> list[str]:
    """Programs of SLURM that are not installed (Debian: slurmctld slurmd slurm-client)."""
    return [name for name in PROGRAMS if _find(name) is None]


@contextmanager
def running(place: Path) -> Iterator[dict[str, str]]:
    """The environment in which sbatch reaches it; its logs are in `place`."""
    for name in ("state", "spool"):
        (place / name).mkdir(parents=True)
    settings = _SETTINGS.format(
        host=socket.gethostname(),
        user=getpass.getuser(),
        controller=_free_port(),
        node=_free_port(),
        place=place,
        cpus=len(os.sched_getaffinity(0)),
    )
    (place / "slurm.conf").write_text(settings)
    environment = {**os.environ, "SLURM_CONF": str(place / "slurm.conf")}
    daemons = [
        subprocess.Popen(
            [_find(name), "-D", "-c"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in ("slurmctld", "slurmd")
    ]
    try:
        _wait_until_idle(environment, place)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=30)


def _wait_until_idle(environment: dict[str, str], place: Path) -> None:
    for _ in range(60):
        told = subprocess.run(
            [_find("sinfo"), "--noheader"], env=environment, capture_output=True, text=True
        )
        if " idle " in told.stdout:
            return
        time.sleep(0.5)
    logs = "".join(file.read_text()[-2000:] for file in place.glob("*.log"))
    raise RuntimeError(f"SLURM does not start: {told.stdout}{told.stderr}{logs}")


def _find(program: str) -> str | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    return shutil.which(program, path=path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
