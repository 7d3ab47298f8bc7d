"""A trajectory in one PyMOL object: read, superpose, find the pocket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pymol import CmdException

from .geometry import superposition


def read(cmd: Any, topology: str, trajectory: str, name: str, start: int, stop: int) -> None:
    """Load both files into one object, the atoms in the file's order, and check it."""
    for file in (topology, trajectory):
        if not Path(cmd.exp_path(file)).is_file():
            raise CmdException(f"no such file: {file}")
    with _quiet(cmd), _file_order(cmd):
        cmd.load(topology, name, zoom=0)
        try:
            cmd.load_traj(trajectory, name, state=1, start=start, stop=stop)
        except CmdException as error:
            raise CmdException(
                f"{trajectory} cannot be read with {cmd.count_atoms(name)} atoms of "
                f"{topology}: a damaged file, or of other atoms"
            ) from error
    snapshots = cmd.count_states(name)
    if snapshots < 2:
        raise CmdException(f"{trajectory}: {snapshots} snapshot; a fluctuation needs 2 or more")
    for state in states(cmd, name):
        if not np.isfinite(cmd.get_coords(name, state)).all():
            raise CmdException(
                f"{trajectory}: snapshot {state} has coordinates that are no numbers"
            )


def select_pocket(cmd: Any, name: str, distance: float) -> None:
    """Residues with a heavy atom within `distance` Å of the ligand's, in the first snapshot."""
    protein = f"%{name} and polymer and not {name}_ligand"
    cmd.select(
        f"{name}_pocket",
        f"byres ({protein} and not hydro) within {distance} of ({name}_ligand and not hydro)",
        enable=0,
        state=1,
    )


def superpose(cmd: Any, name: str, target: np.ndarray) -> None:
    """Lay every snapshot on `target` (R, 3), by the Cα atoms."""
    for state in states(cmd, name):
        motion = superposition(alphas(cmd, name, state), target)
        cmd.transform_selection(f"%{name}", motion.ravel().tolist(), state, homogenous=1)


def alphas(cmd: Any, name: str, state: int) -> np.ndarray:
    """Positions of the protein's Cα atoms (R, 3) in Å."""
    protein = f"%{name} and polymer and guide and name CA and not {name}_ligand"
    positions = cmd.get_coords(protein, state)
    if positions is None or len(positions) < 3:
        raise CmdException(f"{name}: no protein of 3 or more residues to superpose")
    return positions


def states(cmd: Any, name: str) -> range:
    """Numbers of the snapshots, from 1."""
    return range(1, cmd.count_states(f"%{name}") + 1)


@contextmanager
def _quiet(cmd: Any) -> Iterator[None]:
    """Stop PyMOL from printing a line for each snapshot."""
    cmd.feedback("push")
    cmd.feedback("disable", "objectmolecule", "everything")
    try:
        yield
    finally:
        cmd.feedback("pop")


@contextmanager
def _file_order(cmd: Any) -> Iterator[None]:
    """PyMOL sorts atoms by residue otherwise; a trajectory has them in the file's order."""
    before = cmd.get("retain_order")
    cmd.set("retain_order", 1)
    try:
        yield
    finally:
        cmd.set("retain_order", before)
