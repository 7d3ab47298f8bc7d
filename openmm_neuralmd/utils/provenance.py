"""Provenance of a number: machine, versions, command."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "openmm_neuralmd",
    "openmm",
    "openmmtorch",
    "openmmtools",
    "torch",
    "torchdiffeq",
    "mdtraj",
    "numpy",
)


def package_versions() -> dict[str, str]:
    """Versions of the packages that a result depends on; those that are not installed left out."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def processor() -> str:
    """The processor's name, as the operating system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, system, Python."""
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def provenance() -> dict[str, object]:
    """Command, machine and versions, for a result file."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    return {"command": command, "machine": machine(), "versions": package_versions()}
