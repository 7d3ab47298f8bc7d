"""Output of a run at each snapshot: coordinates, energies, and labels if requested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from ..structure.parts import whole_molecules
from ..units import BOLTZMANN, nanometers
from ..utils.resume import PartialRun
from .labels import LabelFile
from .masses import degrees_of_freedom
from .modes import Setup
from .outcome import COLUMNS, ENERGIES
from .selection import part_of_topology, written_atoms
from .settings import MDSettings

LABELS = "labels.npz"


class Records:
    """The growing files of a run; `opened` makes one.

    Attributes
    ----------
    files : tuple of Path
    written : (W,) int64
        Particles of the System whose coordinates are kept.
    topology : Topology
        Of those.
    """

    def __init__(self, partial: PartialRun, setup: Setup, settings: MDSettings) -> None:
        self.setup, self.settings = setup, settings
        self.written = written_atoms(setup.complex, settings.write)
        self.topology = part_of_topology(setup.topology, self.written)
        self.trajectory = partial.run / f"trajectory.{settings.format}"
        self.energies = partial.run / ENERGIES
        self.labels: LabelFile | None = None
        self._append = partial.started
        self.files: tuple[Path, ...] = (self.trajectory, self.energies)
        if settings.labels:
            self.labels = LabelFile(partial.folder / "labels.bin", setup, self._append)
            self.files += (self.labels.path,)
        self._freedom = degrees_of_freedom(setup.system)

    @contextmanager
    def opened(self) -> Iterator[Records]:
        """The files, to be continued where there is a checkpoint."""
        interval, append = self.settings.interval_ps, self._append
        trajectory = open_trajectory(self.trajectory, self.topology, interval, append)
        with self.energies.open("a") as self._table, trajectory as self._writer:
            if not self._append:
                self._row(COLUMNS[: 5 if self.setup.periodic else 4])
            yield self
        if self.labels is not None:
            self.labels.close()

    def write(self, context: openmm.Context, number: int) -> float:
        """Add the present state as snapshot `number`, counted from 1; its temperature in K."""
        state = context.getState(positions=True, energy=True)
        box = state.getPeriodicBoxVectors() if self.setup.periodic else None
        positions = self._whole(state, box)[self.written]
        self._writer.writeModel(positions * unit.nanometer, periodicBoxVectors=box)
        potential = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
        kinetic = state.getKineticEnergy().value_in_unit(unit.kilojoule_per_mole)
        temperature = 2 * kinetic / (self._freedom * BOLTZMANN)
        time = number * self.settings.interval_ps
        row = [f"{time:.9g}", f"{potential:.12g}", f"{kinetic:.12g}", f"{temperature:.6g}"]
        if box is not None:
            row.append(f"{state.getPeriodicBoxVolume()._value:.9g}")
        self._row(row)
        if self.labels is not None:
            self.labels.write(context)
        return temperature

    def _row(self, cells: Sequence[str]) -> None:
        self._table.write(",".join(cells) + "\n")
        self._table.flush()

    def _whole(self, state: openmm.State, box: Any) -> np.ndarray:
        """Positions (N, 3) in nm, ligand and protein in one piece and in one image."""
        positions = nanometers(state.getPositions(asNumpy=True))
        if box is None:
            return positions
        complex = self.setup.complex
        vectors = np.array(box.value_in_unit(unit.nanometer))
        return whole_molecules(
            complex.topology, positions, complex.backbone, complex.ligand, vectors
        )


@contextmanager
def open_trajectory(
    path: Path, topology: app.Topology, interval_ps: float, append: bool = False
) -> Iterator[Any]:
    """OpenMM's writer for XTC or DCD; the first snapshot is one interval after the start."""
    if path.suffix == ".xtc":
        yield app.XTCFile(str(path), topology, interval_ps, 1, 1, append=append)
        return
    with path.open("r+b" if append else "w+b") as file:
        yield app.DCDFile(file, topology, interval_ps, 1, 1, append=append)
