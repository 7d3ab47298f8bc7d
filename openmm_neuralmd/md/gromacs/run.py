"""grompp and mdrun for a stage of a run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...errors import ProgramError, SimulationError
from ..modes import Setup
from ..settings import MDSettings
from . import parameters
from .parameters import Parameters
from .program import Gmx
from .topology import GROUPS, TOP, Exported

DEVICES = {"CPU": ("-nb", "cpu"), "CUDA": ("-nb", "gpu"), "OpenCL": ("-nb", "gpu")}


@dataclass(frozen=True, eq=False)
class Work:
    """Common input of all stages."""

    gmx: Gmx
    folder: Path
    setup: Setup
    settings: MDSettings
    forces: parameters.Nonbonded
    exported: Exported
    checkpoint_seconds: float


def grompp(work: Work, name: str, start: str, mdp: Parameters) -> None:
    """Run grompp for a stage.

    Parameters
    ----------
    work : Work
    name : str
        Of the stage, and of its files.
    start : str
        gro file; a continuation takes the checkpoint beside it.
    mdp : dict
    """
    (work.folder / f"{name}.mdp").write_text(parameters.written(mdp))
    files = ["-f", f"{name}.mdp", "-c", start, "-p", TOP, "-n", GROUPS, "-o", f"{name}.tpr"]
    if name == "restrained":
        files += ["-r", start]
    if mdp.get("continuation") == "yes":
        files += ["-t", start.replace(".gro", ".cpt")]
    # It warns of bonds that vibrate within five time steps: with heavy hydrogens 4 fs is sound.
    work.gmx.run("grompp", *files, "-maxwarn", 5, folder=work.folder)


def mdrun(work: Work, name: str, step: Callable[[int], None]) -> None:
    """Run a stage to its end, from its checkpoint if there is one; `step` is called with the step.

    Raises
    ------
    SimulationError
        mdrun failed.
    """
    words: list[object] = ["-deffnm", name, *hardware(work.settings)]
    words += ["-cpi", f"{name}.cpt", "-cpt", work.checkpoint_seconds / 60]
    words += ["-stepout", max(1, work.settings.steps_per_snapshot())]
    try:
        work.gmx.watch("mdrun", *words, folder=work.folder, step=step)
    except ProgramError as error:
        raise SimulationError(f"{error}; what was done is kept in {work.folder}") from error


def hardware(settings: MDSettings) -> list[object]:
    """Options of mdrun for threads and device."""
    requested = settings.properties.get("Threads") or os.environ.get("OMP_NUM_THREADS")
    threads = requested or str(len(os.sched_getaffinity(0)))
    words: list[object] = ["-ntmpi", 1, "-ntomp", threads, "-pin", "off"]
    words += DEVICES.get(settings.platform or "", ())
    if device := settings.properties.get("DeviceIndex"):
        words += ["-gpu_id", device]
    return words
