"""A box of water brought to its density by GROMACS, before anything else is done with it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import openmm
from mdtraj.formats import TRRTrajectoryFile
from openmm import unit
from openmm.app.internal.unitcell import reducePeriodicBoxVectors

from ...structure.parts import whole_molecules
from ..modes import Setup
from ..settings import MDSettings
from ..subsystem import nonbonded_force
from . import parameters
from .program import find_gmx
from .run import Work, grompp, mdrun
from .topology import GROUPS, export, held_atoms


def relax_box(setup: Setup, settings: MDSettings, time_ps: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box after some time at constant pressure, heavy atoms of the solute held.

    Parameters
    ----------
    setup : Setup
        With a box.
    settings : MDSettings
        Temperature, pressure, time step, seed.
    time_ps : float

    Returns
    -------
    positions : (N, 3) float64, nm
        Molecules whole, the solute where it was.
    box : (3, 3) float64, nm

    Raises
    ------
    ProgramError
    SimulationError
    """
    solute = np.array(held_atoms(setup))
    with TemporaryDirectory(prefix="neuralmd-gmx-") as name:
        folder = Path(name)
        forces = parameters.nonbonded(nonbonded_force(setup.system), 0.0)
        exported = export(setup, forces.cutoff, solute, folder)
        work = Work(find_gmx(), folder, setup, settings, forces, exported, 600.0)
        steps = round(2 * time_ps * 1000 / settings.timestep_fs)
        held = parameters.restrained(forces, settings, exported.groups, steps, True)
        grompp(work, "restrained", "start.gro", held | {"nstxout": steps})
        mdrun(work, "restrained", lambda step: None)
        files = ("-s", "restrained.tpr", "-f", "restrained.trr", "-n", GROUPS, "-o", "whole.trr")
        image = ("-pbc", "mol", "-ur", "compact", "-center")
        work.gmx.run("trjconv", *files, *image, folder=folder, said="Written\nSystem\n")
        with TRRTrajectoryFile(str(folder / "whole.trr")) as file:
            xyz, _, _, boxes, _ = file.read()
    complex, box = setup.complex, reduced(boxes[-1])
    wrapped = xyz[-1].astype(np.float64)
    positions = whole_molecules(setup.topology, wrapped, complex.backbone, complex.ligand, box)
    alphas = complex.backbone[:, 1]
    return positions + (complex.positions[alphas] - positions[alphas]).mean(axis=0), box


def reduced(box: np.ndarray) -> np.ndarray:
    """Vectors (3, 3) of the same lattice that OpenMM takes.

    In a rhombic dodecahedron half of one vector lies along another: single precision puts it on
    either side of the half, and OpenMM refuses the one beyond.
    """
    vectors = [openmm.Vec3(*row) for row in box.astype(np.float64)] * unit.nanometer
    return np.array(reducePeriodicBoxVectors(vectors).value_in_unit(unit.nanometer))
