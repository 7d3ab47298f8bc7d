"""A reference run from its request to its folder, whichever engine computes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from openmm import app

from ..utils.resume import PartialRun, check_free
from .folder import ComplexFolder
from .modes import Setup, build
from .outcome import ReferenceRun, identity, publish, record, summary
from .settings import MDSettings


@dataclass(frozen=True, eq=False)
class Job:
    """Request of a reference run, checked, with its folder.

    Attributes
    ----------
    folder : ComplexFolder
    settings : MDSettings
    setup : Setup
        The System in the mode of the settings.
    snapshots : int
        Number of snapshots that the run is to have.
    partial : PartialRun
        Its files until it is complete.
    """

    folder: ComplexFolder
    settings: MDSettings
    setup: Setup
    snapshots: int
    partial: PartialRun

    @classmethod
    def begin(
        cls,
        folder: ComplexFolder | str | Path,
        output: Path,
        time_ps: float,
        settings: MDSettings,
        engine: str,
    ) -> Job:
        """Check a request and open the folder of the run, or that of an interrupted one.

        Parameters
        ----------
        folder, output, time_ps, settings
            See `run_reference`.
        engine : str
            What computes; a run is resumed by the same engine only.

        Raises
        ------
        InputError
            Settings, folder or output cannot be used.
        """
        check_free(output)
        folder = ComplexFolder.of(folder)
        setup = build(folder, settings)
        partial = PartialRun(output, identity(folder, settings, engine))
        return cls(folder, settings, setup, settings.snapshots(time_ps), partial)

    def finish(self, written: Written, resumed_from: int, seconds: float) -> ReferenceRun:
        """Count, write what is written once, and give the folder its final name.

        Parameters
        ----------
        written : Written
        resumed_from : int
            Snapshots that an interrupted run had made.
        seconds : float
            Wall time of the others.
        """
        output, energies = self.partial.output, written.energies
        run = summary(output, self.settings, energies, self.snapshots, resumed_from, seconds)
        atoms = written.particles
        content = record(self.folder, self.setup, self.settings, atoms, run, written.engine)
        publish(self.partial, self.setup, written.topology, atoms, content, self.folder)
        return run


@dataclass(frozen=True, eq=False)
class Written:
    """Output of an engine.

    Attributes
    ----------
    particles : (W,) int64
        Particles in the trajectory.
    topology : Topology
        Topology of those particles.
    energies : Path
        energies.csv, where it is now.
    engine : dict
        Name of the engine, and what it ran on.
    """

    particles: np.ndarray
    topology: app.Topology
    energies: Path
    engine: dict[str, Any]
