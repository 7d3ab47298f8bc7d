"""mdrun's trajectory and energies in the form that every reference run leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from mdtraj.formats import XTCTrajectoryFile
from openmm import app, unit

from ...errors import SimulationError
from ...structure.complex import Complex
from ...structure.parts import nearest_alpha, whole_molecules
from ...structure.residues import selection_of
from ...utils.files import complete
from ..job import Job
from ..masses import masses
from ..modes import Setup
from ..outcome import COLUMNS, ENERGIES
from ..records import open_trajectory
from ..settings import MDSettings
from .edr import read_edr
from .topology import Exported

CHUNK = 200  # frames
_SLIPPED = 0.002  # nm; XTC rounds to 0.001
_TITLES = ("Time", "Potential", "Kinetic En.", "Temperature", "Volume")


@dataclass(frozen=True)
class Collected:
    """Output files of mdrun."""

    coordinates: Path
    energies: Path


def collect(
    raw: Collected, job: Job, exported: Exported, topology: app.Topology, written: np.ndarray
) -> Path:
    """Write trajectory and energies.csv into the folder of the run; the latter's path.

    The state at time 0 is left out.  Protein and ligand are put together; what has no box of its
    own is moved back to where it was.

    Raises
    ------
    SimulationError
        Snapshots are missing, the ligand left the pocket, or an atom that stands still moved.
    """
    setup, settings, target = job.setup, job.settings, job.partial.run
    energies = target / ENERGIES
    with complete(energies) as temporary:
        temporary.write_text(_table(raw.energies, settings, job.snapshots, setup.periodic))
    complex = _written_complex(setup, topology, written)
    still = np.flatnonzero(masses(setup.system)[written] == 0)
    with (
        complete(target / f"trajectory.{settings.format}") as path,
        open_trajectory(path, topology, settings.interval_ps) as writer,
    ):
        number = 0
        for number, (positions, box) in enumerate(_frames(raw.coordinates), start=1):
            whole = whole_molecules(topology, positions, complex.backbone, complex.ligand, box)
            whole -= exported.shift
            _check(number, whole, complex, still, settings)
            box_vectors = (
                [openmm.Vec3(*row) for row in box] * unit.nanometer if setup.periodic else None
            )
            writer.writeModel(whole * unit.nanometer, periodicBoxVectors=box_vectors)
    if number != job.snapshots:
        raise SimulationError(f"{raw.coordinates} has {number} snapshots, not {job.snapshots}")
    return energies


def _written_complex(setup: Setup, topology: app.Topology, written: np.ndarray) -> Complex:
    atoms = list(setup.topology.atoms())
    ligand = selection_of(atoms[setup.complex.ligand[0]].residue)
    positions = setup.complex.positions[written]
    return Complex.from_openmm(topology, positions, ligand=ligand, name=setup.complex.name)


def _frames(path: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions (W, 3) and box (3, 3), in nm, of every snapshot after time 0."""
    with XTCTrajectoryFile(str(path)) as file:
        while True:
            xyz, time, _, boxes = file.read(CHUNK)
            if not len(xyz):
                return
            for positions, now, box in zip(xyz, time, boxes, strict=True):
                if now > 0:
                    yield positions.astype(np.float64), box.astype(np.float64)


def _check(
    number: int, positions: np.ndarray, complex: Complex, still: np.ndarray, settings: MDSettings
) -> None:
    when = f"in snapshot {number} ({number * settings.interval_ps:g} ps)"
    distance, _ = nearest_alpha(complex, positions, None)
    if distance > settings.pocket_limit:
        raise SimulationError(
            f"{when} the ligand has left the pocket: it is {distance:.2f} nm from any CA "
            f"(limit {settings.pocket_limit:g} nm)"
        )
    slipped = np.abs(positions[still] - complex.positions[still])
    if slipped.size and slipped.max() > _SLIPPED:
        raise SimulationError(f"{when} an atom that stands still has moved {slipped.max():.3f} nm")


def _table(path: Path, settings: MDSettings, total: int, periodic: bool) -> str:
    """energies.csv from an edr file."""
    energies: dict[str, Any] = read_edr(path)
    titles = _TITLES if periodic else _TITLES[:4]
    place = np.rint(energies["Time"] / settings.interval_ps).astype(int)
    rows = dict(zip(place.tolist(), zip(*(energies[title] for title in titles)), strict=True))
    missing = sorted(set(range(1, total + 1)) - set(rows))
    if missing:
        raise SimulationError(f"{path} has no energies of snapshot {missing[0]}")
    lines = [",".join(COLUMNS[: len(titles)])]
    for number in range(1, total + 1):
        cells = [f"{number * settings.interval_ps:.9g}"]
        cells += [f"{value:.9g}" for value in rows[number][1:]]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"
