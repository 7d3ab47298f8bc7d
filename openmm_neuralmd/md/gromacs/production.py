"""`run_gromacs`: all-atom MD of a prepared complex by `gmx mdrun`, resumable."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from ...errors import InputError
from ...utils.progress import Advance, silent
from ..equilibration import duration
from ..folder import ComplexFolder
from ..job import Job, Written
from ..outcome import ReferenceRun
from ..selection import part_of_topology, written_atoms
from ..settings import MDSettings
from ..subsystem import nonbonded_force
from . import parameters
from .collect import Collected, collect
from .edr import edr_reader
from .energies import extent
from .parameters import Parameters
from .program import find_gmx
from .run import (
    DEVICES,
    Work,
    grompp,
    mdrun,
)
from .topology import (
    GRO,
    GROUPS,
    TOP,
    export,
)

ENGINE = "gromacs"
INPUTS = (TOP, GRO, GROUPS, "production.mdp")
_DUMPED = re.compile(r"^step = (\d+)", re.MULTILINE)


def run_gromacs(
    folder: ComplexFolder | str | Path,
    output: str | Path,
    time_ps: float,
    *,
    settings: MDSettings | None = None,
    checkpoint_seconds: float = 60.0,
    progress: Advance = silent,
) -> ReferenceRun:
    """Minimise, equilibrate and simulate a complex with GROMACS; write the folder `output`.

    The same System as `run_reference` simulates, exported (see `topology`), with the same stages;
    called again after an interruption it continues from mdrun's last checkpoint.

    Parameters
    ----------
    folder : ComplexFolder or path
    output : path
        Must not exist.  Gets what `run_reference` writes, and topol.top, start.gro, groups.ndx,
        production.mdp.
    time_ps : float
        Of the production; rounded up to whole intervals.
    settings : MDSettings, optional
        Of the platform properties Threads and DeviceIndex are used.
    checkpoint_seconds : float
        Wall time between mdrun's checkpoints.
    progress : callable, optional
        See `progress.Advance`.

    Raises
    ------
    InputError
        Settings, folder or output cannot be used; what GROMACS cannot simulate.
    ProgramError
        gmx is missing or failed; what was done is kept.
    SimulationError
        The ligand left the pocket.

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings
    >>> from openmm_neuralmd.md.gromacs import run_gromacs
    >>> settings = MDSettings(mode="pocket", equilibration_ps=0.1)
    >>> run = run_gromacs(folder, scratch / "run", 1.0, settings=settings)
    >>> run.snapshots
    1
    """
    settings = settings or MDSettings()
    check(settings)
    gmx = find_gmx()
    job = Job.begin(folder, Path(output), time_ps, settings, ENGINE)
    setup, partial = job.setup, job.partial
    written = written_atoms(setup.complex, settings.write)
    forces = parameters.nonbonded(nonbonded_force(setup.system), extent(setup.complex.positions))
    exported = export(setup, forces.cutoff, written, partial.folder)
    work = Work(gmx, partial.folder, setup, settings, forces, exported, checkpoint_seconds)
    _equilibrate(work, progress)
    first, seconds = _produce(work, job.snapshots, progress)
    topology = part_of_topology(setup.topology, written)
    raw = Collected(partial.folder / "production.xtc", partial.folder / "production.edr")
    energies = collect(raw, job, exported, topology, written)
    for name in INPUTS:
        shutil.copyfile(partial.folder / name, partial.run / name)
    return job.finish(Written(written, topology, energies, _engine(work)), first, seconds)


def check(settings: MDSettings) -> None:
    """Refuse settings that GROMACS cannot carry out, and a missing pyedr.

    Raises
    ------
    InputError

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings
    >>> from openmm_neuralmd.md.gromacs import check
    >>> check(MDSettings(mode="pocket"))  # nothing is wrong: no error
    >>> check(MDSettings(mode="flexible", labels=True))
    Traceback (most recent call last):
        ...
    openmm_neuralmd.errors.InputError: labels (forces on the ligand) need --engine openmm
    """
    settings.check()
    edr_reader()
    if settings.mode == "rigid":
        raise InputError(
            "mode rigid, its distance-dependent dielectric and interaction groups, is for "
            "--engine openmm; with GROMACS take flexible or pocket"
        )
    if settings.labels:
        raise InputError("labels (forces on the ligand) need --engine openmm")
    if settings.platform not in (None, *DEVICES):
        known = ", ".join(DEVICES)
        raise InputError(f"GROMACS has no platform '{settings.platform}'; there are: {known}")


def _equilibrate(work: Work, progress: Advance) -> None:
    settings, groups, periodic = work.settings, work.exported.groups, work.setup.periodic
    half = duration(work.setup, settings) / 2 * 1000 / settings.timestep_fs
    mdp = parameters.minimisation(work.forces, "Fixed" in groups)
    progress(0, "minimised")
    _stage(work, "minimised", GRO, mdp)
    progress(0, f"restrained, {half * settings.timestep_fs / 1000:g} ps")
    mdp = parameters.restrained(work.forces, settings, groups, round(2 * half), periodic)
    _stage(work, "restrained", "minimised.gro", mdp)
    progress(0, f"free, {half * settings.timestep_fs / 1000:g} ps")
    mdp = parameters.free(work.forces, settings, groups, round(half), periodic)
    _stage(work, "free", "restrained.gro", mdp)


def _stage(work: Work, name: str, start: str, mdp: Parameters) -> None:
    """Run a stage of the equilibration, unless it is finished."""
    mark = work.folder / f"{name}.done"
    if mark.exists():
        return
    grompp(work, name, start, mdp)
    mdrun(work, name, lambda step: None)
    mark.touch()


def _produce(work: Work, total: int, progress: Advance) -> tuple[int, float]:
    """Return the number of earlier snapshots, and the wall time of the others in seconds."""
    settings, groups, periodic = work.settings, work.exported.groups, work.setup.periodic
    every = settings.steps_per_snapshot()
    mdp = parameters.production(work.forces, settings, groups, total * every, periodic)
    first = _done(work) // every
    if first > total:
        raise InputError(
            f"{work.folder} holds {first} snapshots already, {total} were asked for; "
            "ask for as many at least, or remove the folder to start anew"
        )
    grompp(work, "production", "free.gro", mdp)
    progress(first, "production")
    began, shown = time.perf_counter(), first

    def step(number: int) -> None:
        nonlocal shown
        now = min(number // every, total)
        seconds = time.perf_counter() - began
        if now > shown:
            speed = (now - first) * settings.interval_ps / seconds * 86.4
            progress(now - shown, f"{speed:.3g} ns/day")
            shown = now

    if first < total:
        mdrun(work, "production", step)
    progress(total - shown, "")
    return first, time.perf_counter() - began


def _done(work: Work) -> int:
    """The step of production's last checkpoint."""
    if not (work.folder / "production.cpt").is_file():
        return 0
    match = _DUMPED.search(work.gmx.run("dump", "-cp", "production.cpt", folder=work.folder))
    return int(match[1]) if match else 0


def _engine(work: Work) -> dict[str, object]:
    properties = {"version": work.gmx.version, "simd": work.gmx.simd, **work.settings.properties}
    return {
        "engine": ENGINE,
        "platform": {"name": work.settings.platform or "auto", "properties": properties},
    }
