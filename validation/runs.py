"""Runs of all-atom MD on disk, as all programs here read them."""

from __future__ import annotations

from pathlib import Path

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots


def trajectory_of(folder: Path) -> Path:
    """The trajectory file of a run.

    Raises
    ------
    InputError
        There is none.
    """
    for name in ("trajectory.xtc", "trajectory.dcd"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder}: no trajectory.xtc or .dcd; it takes the folder of a run or a set")


def read_run(folder: Path, hydrogens: bool = False) -> Snapshots:
    """The ligand in a run of `neuralmd reference`, or in a complex of a reference set.

    Parameters
    ----------
    folder : Path
        With topology.pdb, ligand.sdf and the trajectory.
    hydrogens : bool
        See `Complex.with_hydrogens`.

    Raises
    ------
    InputError
        A file is missing, or they do not fit each other.
    """
    trajectory = trajectory_of(folder)
    complex = Complex.from_files(
        folder / "topology.pdb", sdf=folder / "ligand.sdf", name=folder.name
    )
    return read_snapshots(trajectory, complex.with_hydrogens(hydrogens))
