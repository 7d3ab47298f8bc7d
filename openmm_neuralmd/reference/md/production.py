"""`run_reference`: all-atom MD of a prepared complex, resumable, with its provenance."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import yaml
from openmm import app, unit

from ...errors import InputError, SimulationError
from ...files import complete
from ...mm.guard import check_pocket
from ...progress import Advance, silent
from ...provenance import provenance
from ..folder import LIGAND, SYSTEM, ComplexFolder
from .equilibration import PRODUCTION, advance, barostat, equilibrate, noise
from .modes import Setup, build
from .partial import PartialRun
from .platforms import describe_platform, make_context
from .records import LABELS, TOPOLOGY, Records
from .settings import MDSettings

RECORD = "run.yaml"


@dataclass(frozen=True)
class ReferenceRun:
    """What a finished run left behind.

    Attributes
    ----------
    path : Path
        Its folder.
    trajectory, topology : Path
        In it, and matching atom for atom.
    snapshots, resumed_from : int
        How many there are, and how many of them an interrupted run had made.
    seconds : float
        Wall time of the snapshots made now.
    ns_per_day : float
        Of those; not a number when there were none.
    temperature : float
        Mean over all snapshots, K.
    """

    path: Path
    trajectory: Path
    topology: Path
    snapshots: int
    resumed_from: int
    seconds: float
    ns_per_day: float
    temperature: float


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
    """
    settings, output = settings or MDSettings(), Path(output)
    if output.exists():
        raise InputError(f"{output}: exists; choose another name or move it away")
    if not isinstance(folder, ComplexFolder):
        folder = ComplexFolder.open(folder)
    setup, total = build(folder, settings), settings.snapshots(time_ps)
    partial = PartialRun(output, identity(folder, settings))
    start = equilibrate(setup, settings, partial.folder, lambda stage: progress(0, stage))
    context = _context(setup, settings, start)
    first = partial.resume(context)
    if first > total:
        raise InputError(
            f"{partial.folder} holds {first} snapshots already, {total} were asked for; "
            "ask for as many at least, or remove the folder to start anew"
        )
    progress(first, "production")
    began = time.perf_counter()
    records = Records(partial, setup, settings)
    _produce(context, records, partial, range(first + 1, total + 1), checkpoint_seconds, progress)
    seconds = time.perf_counter() - began
    run = _summary(output, settings, records, total, first, seconds)
    record = _record(folder, setup, settings, context, records, run)
    _finish(partial, setup, records, record, folder)
    return run


def identity(folder: ComplexFolder, settings: MDSettings) -> str:
    """SHA-256 of everything that decides the trajectory, its length excepted."""
    decisive = {"files": folder.record["files"], "settings": asdict(settings)}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _context(setup: Setup, settings: MDSettings, start: openmm.State) -> openmm.Context:
    """Production from an equilibrated state, at time 0."""
    system = openmm.XmlSerializer.clone(setup.system)
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
                    partial.commit(context, number, records.files)
                    committed = seconds
                made = number - numbers.start + 1
                speed = made * settings.interval_ps / seconds * 86.4
                progress(1, f"{speed:.3g} ns/day, {temperature:.0f} K")
    except SimulationError as error:
        kept = f"the snapshots before it are kept in {partial.run}"
        raise SimulationError(f"{error}; {kept}") from error


def _summary(
    output: Path, settings: MDSettings, records: Records, total: int, first: int, seconds: float
) -> ReferenceRun:
    with records.energies.open(newline="") as file:
        temperatures = [float(row["temperature_k"]) for row in csv.DictReader(file)]
    made = total - first
    return ReferenceRun(
        path=output,
        trajectory=output / records.trajectory.name,
        topology=output / TOPOLOGY,
        snapshots=total,
        resumed_from=first,
        seconds=seconds,
        ns_per_day=made * settings.interval_ps / seconds * 86.4 if made else float("nan"),
        temperature=float(np.mean(temperatures)),
    )


def _record(
    folder: ComplexFolder,
    setup: Setup,
    settings: MDSettings,
    context: openmm.Context,
    records: Records,
    run: ReferenceRun,
) -> dict[str, Any]:
    return {
        "engine": "openmm",
        "complex": {
            "name": folder.name,
            "solvent": folder.record["solvent"],
            "files": folder.record["files"],
        },
        "settings": asdict(settings),
        "atoms": {**setup.counts(), "written": len(records.written)},
        "force_groups": list(setup.groups),
        "notes": list(setup.notes),
        "platform": describe_platform(context),
        "interval_ps": settings.interval_ps,
        "snapshots": run.snapshots,
        "resumed_from": run.resumed_from,
        "seconds": round(run.seconds, 3),
        "ns_per_day": round(run.ns_per_day, 3) if run.snapshots > run.resumed_from else None,
        "mean_temperature_k": round(run.temperature, 2),
        **provenance(),
    }


def _finish(
    partial: PartialRun,
    setup: Setup,
    records: Records,
    record: dict[str, Any],
    folder: ComplexFolder,
) -> None:
    """Everything that is written once; then the folder gets its final name."""
    with complete(partial.run / TOPOLOGY) as temporary, temporary.open("w") as file:
        positions = setup.complex.positions[records.written] * unit.nanometer
        app.PDBFile.writeFile(records.topology, positions, file, keepIds=True)
    with complete(partial.run / SYSTEM) as temporary:
        temporary.write_text(openmm.XmlSerializer.serialize(setup.system))
    with complete(partial.run / LIGAND) as temporary:
        temporary.write_bytes((folder.path / LIGAND).read_bytes())
    if records.labels is not None:
        times = record["interval_ps"] * np.arange(1, record["snapshots"] + 1)
        own = np.searchsorted(records.written, setup.complex.ligand)
        records.labels.save(partial.run / LABELS, times, own)
    with complete(partial.run / RECORD) as temporary:
        temporary.write_text(yaml.safe_dump(record, sort_keys=False, allow_unicode=True))
    partial.publish()
