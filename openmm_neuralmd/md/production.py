"""`run_reference`: all-atom MD of a prepared complex, resumable, with its provenance."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import openmm

from ..errors import SimulationError
from ..simulation.guard import check_pocket
from ..utils.platforms import describe_platform
from ..utils.progress import Advance, silent
from ..utils.resume import PartialRun
from .equilibration import (
    PRODUCTION,
    advance,
    barostat,
    equilibrate,
    noise,
)
from .field import running_system
from .folder import ComplexFolder
from .job import Job, Written
from .modes import Setup
from .outcome import ReferenceRun
from .platforms import make_context
from .records import LABELS, Records
from .settings import MDSettings

ENGINE = "openmm"


def run_reference(
    folder: ComplexFolder | str | Path,
    output: str | Path,
    time_ps: float,
    *,
    settings: MDSettings | None = None,
    checkpoint_seconds: float = 10.0,
    progress: Advance = silent,
) -> ReferenceRun:
    """Minimise, equilibrate and simulate a complex; write everything into the folder `output`.

    Until it is complete everything is in the hidden folder '.NAME.partial'; called again after an
    interruption it continues from the last checkpoint.

    Parameters
    ----------
    folder : ComplexFolder or path
    output : path
        Must not exist.  Gets topology.pdb, trajectory.xtc (or .dcd), energies.csv, system.xml,
        ligand.sdf, run.yaml and, if asked for, labels.npz.
    time_ps : float
        Of the production; rounded up to whole intervals.
    settings : MDSettings, optional
    checkpoint_seconds : float
        Wall time between checkpoints; every snapshot has one if snapshots are rarer.
    progress : callable, optional
        See `progress.Advance`; called for every snapshot, and with 0 where a stage begins.

    Raises
    ------
    InputError
        Settings, folder or output cannot be used.
    SimulationError
        Not a number, or the ligand left the pocket; the snapshots before it are kept.

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings, run_reference
    >>> settings = MDSettings(mode="rigid", equilibration_ps=0.1, platform="Reference")
    >>> run = run_reference(folder, scratch / "run", 2.0, settings=settings)
    >>> run.snapshots, run.trajectory.name
    (2, 'trajectory.xtc')
    """
    settings = settings or MDSettings()
    job = Job.begin(folder, Path(output), time_ps, settings, ENGINE)
    setup, partial, total = job.setup, job.partial, job.snapshots
    start = equilibrate(setup, settings, partial.folder, lambda stage: progress(0, stage))
    context = _context(setup, settings, start)
    first = partial.resume(context.loadCheckpoint, total)
    progress(first, "production")
    began = time.perf_counter()
    records = Records(partial, setup, settings)
    _produce(context, records, partial, range(first + 1, total + 1), checkpoint_seconds, progress)
    seconds = time.perf_counter() - began
    if records.labels is not None:
        times = settings.interval_ps * np.arange(1, total + 1)
        own = np.searchsorted(records.written, setup.complex.ligand)
        records.labels.save(partial.run / LABELS, times, own)
    engine = {"engine": ENGINE, "platform": describe_platform(context)}
    written = Written(records.written, records.topology, records.energies, engine)
    return job.finish(written, first, seconds)


def _context(setup: Setup, settings: MDSettings, start: openmm.State) -> openmm.Context:
    """Production from an equilibrated state, at time 0."""
    system = running_system(setup, settings)
    if setup.periodic and settings.ensemble == "npt":
        system.addForce(barostat(settings, PRODUCTION))
    seed = noise(settings, PRODUCTION)
    context = make_context(system, settings, settings.timestep_fs, settings.friction, seed)
    context.setState(start)
    context.setTime(0)
    context.setStepCount(0)
    return context


def _produce(
    context: openmm.Context,
    records: Records,
    partial: PartialRun,
    numbers: range,
    checkpoint_seconds: float,
    progress: Advance,
) -> None:
    setup, settings = records.setup, records.settings
    steps, began, committed = settings.steps_per_snapshot(), time.perf_counter(), 0.0
    try:
        with records.opened():
            for number in numbers:
                advance(context, setup, steps)
                check_pocket(context, setup.complex, settings.pocket_limit)
                temperature = records.write(context, number)
                seconds = time.perf_counter() - began
                if number == numbers.stop - 1 or seconds - committed > checkpoint_seconds:
                    partial.commit(context.createCheckpoint(), number, records.files)
                    committed = seconds
                count = number - numbers.start + 1
                speed = count * settings.interval_ps / seconds * 86.4
                progress(1, f"{speed:.3g} ns/day, {temperature:.0f} K")
    except SimulationError as error:
        hint = f"the snapshots before it are kept in {partial.run}"
        raise SimulationError(f"{error}; {hint}") from error
