"""The commands at PyMOL's prompt; their docstrings are what `help` shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pymol import CmdException, cmd

from . import scene
from .geometry import rmsf, superposition
from .ligand import find_ligand

POCKET = 5.0  # Å


def neuralmd_load(
    topology: str,
    trajectory: str,
    name: str = "",
    ligand: str = "",
    pocket: float = POCKET,
    start: int = 1,
    stop: int = -1,
    *,
    _self: Any = cmd,
) -> None:
    """
    DESCRIPTION

        Load a complex and its trajectory, superpose every snapshot on the C-alpha atoms of the
        first one, draw protein, pocket and ligand, and colour the ligand by its RMSF.

        Makes the object `name` and the selections `name_ligand` and `name_pocket`.

    USAGE

        neuralmd_load topology, trajectory [, name [, ligand [, pocket [, start [, stop ]]]]]

    ARGUMENTS

        topology = file: PDB of the same atoms in the same order

        trajectory = file: DCD, or whatever else PyMOL's load_traj reads

        name = string: of the object {default: the topology's file name}

        ligand = string: NAME, CHAIN:NUMBER or CHAIN:NUMBER:NAME {default: the largest residue that
        is no polymer, water, ion or additive}

        pocket = float: residues with a heavy atom within this distance of one of the ligand's, in
        A, in the first snapshot {default: 5.0}

        start, stop = int: first and last snapshot to load, counted from 1 {default: all}

    EXAMPLE

        neuralmd_load topology.pdb, trajectory.dcd
    """
    name = _self.get_legal_name(name or Path(topology).stem)
    if name in _self.get_names("all"):
        raise CmdException(f"{name} is there already; give name=another, or: delete {name}")
    try:
        _read(_self, topology, trajectory, name, int(start), int(stop))
        residue = find_ligand(_self, name, ligand)
        _self.select(f"{name}_ligand", residue.selection(name), enable=0)
        _superpose(_self, name, _alphas(_self, name, 1))
        _select_pocket(_self, name, float(pocket))
    except Exception:
        for leftover in (name, f"{name}_ligand", f"{name}_pocket"):
            _self.delete(leftover)
        raise
    neuralmd_rmsf(name, _self=_self)
    neuralmd_view(name, _self=_self)


def neuralmd_rmsf(name: str, maximum: float = 0.0, *, _self: Any = cmd) -> list[float]:
    """
    DESCRIPTION

        Colour the ligand of a loaded trajectory by RMSF: the root mean square fluctuation of each
        atom about its mean position, in the protein's frame, without a fit of the ligand. The
        values, in A, become the B-factors.

    USAGE

        neuralmd_rmsf name [, maximum ]

    ARGUMENTS

        name = string: object of neuralmd_load

        maximum = float: upper end of the colour scale, in A; the same for two objects makes them
        comparable {default: the largest value of a heavy atom}
    """
    ligand = _loaded(_self, name)
    values = rmsf(np.array([_self.get_coords(ligand, k) for k in _states(_self, name)]))
    _self.alter(ligand, "b = next(values)", space={"values": iter(values.tolist()), "next": next})
    heavy: list[float] = []
    _self.iterate(f"{ligand} and not hydro", "heavy.append(b)", space={"heavy": heavy})
    maximum = float(maximum) or max(heavy)
    scene.draw(_self, name)
    scene.colour_by_rmsf(_self, name, maximum)
    print(
        f" {name}: RMSF of {len(heavy)} heavy atoms over {_self.count_states(name)} snapshots "
        f"{min(heavy):.2f} to {max(heavy):.2f} A, mean {np.mean(heavy):.2f} A; "
        f"colours from 0 to {maximum:.2f} A"
    )
    return values.tolist()


def neuralmd_overlay(reference: str, prediction: str, *, _self: Any = cmd) -> None:
    """
    DESCRIPTION

        Lay two loaded trajectories over each other: every snapshot of both on the C-alpha atoms of
        the reference's first. The reference turns teal, the prediction orange; neuralmd_rmsf brings
        the colours of a ligand back.

    USAGE

        neuralmd_overlay reference, prediction

    ARGUMENTS

        reference, prediction = string: objects of neuralmd_load, of proteins with as many residues
    """
    for name in (reference, prediction):
        _loaded(_self, name)
    target = _alphas(_self, reference, 1)
    alphas = len(_alphas(_self, prediction, 1))
    if alphas != len(target):
        raise CmdException(
            f"{prediction} has {alphas} C-alpha atoms, {reference} has {len(target)}: "
            "another protein"
        )
    for name in (reference, prediction):
        _superpose(_self, name, target)
    scene.colour_apart(_self, reference, prediction)
    _self.enable(f"{reference} {prediction}")
    neuralmd_view(reference, _self=_self)


def neuralmd_view(name: str, around: float = POCKET, *, _self: Any = cmd) -> None:
    """
    DESCRIPTION

        Look at the ligand of a loaded trajectory from its broad side.

    USAGE

        neuralmd_view name [, around ]

    ARGUMENTS

        name = string: object of neuralmd_load

        around = float: how much of the surroundings to show, in A {default: 5.0}
    """
    _loaded(_self, name)
    scene.look(_self, name, float(around))


COMMANDS = (neuralmd_load, neuralmd_rmsf, neuralmd_overlay, neuralmd_view)


def _loaded(session: Any, name: str) -> str:
    """The selection of the ligand of an object that neuralmd_load has made."""
    if not {name, f"{name}_ligand", f"{name}_pocket"} <= set(session.get_names("all")):
        raise CmdException(f"{name} was not made by neuralmd_load")
    return f"{name}_ligand"


def _read(session: Any, topology: str, trajectory: str, name: str, start: int, stop: int) -> None:
    """Load both files into one object, the atoms in the file's order, and check it."""
    for file in (topology, trajectory):
        if not Path(session.exp_path(file)).is_file():
            raise CmdException(f"no such file: {file}")
    with _quiet(session), _file_order(session):
        session.load(topology, name, zoom=0)
        try:
            session.load_traj(trajectory, name, state=1, start=start, stop=stop)
        except CmdException as error:
            raise CmdException(
                f"{trajectory} cannot be read with {session.count_atoms(name)} atoms of "
                f"{topology}: a damaged file, or of other atoms"
            ) from error
    snapshots = session.count_states(name)
    if snapshots < 2:
        raise CmdException(f"{trajectory}: {snapshots} snapshot; a fluctuation needs 2 or more")
    for state in _states(session, name):
        if not np.isfinite(session.get_coords(name, state)).all():
            raise CmdException(
                f"{trajectory}: snapshot {state} has coordinates that are no numbers"
            )


def _select_pocket(session: Any, name: str, distance: float) -> None:
    protein = f"%{name} and polymer and not {name}_ligand"
    session.select(
        f"{name}_pocket",
        f"byres ({protein} and not hydro) within {distance} of ({name}_ligand and not hydro)",
        enable=0,
        state=1,
    )


def _superpose(session: Any, name: str, target: np.ndarray) -> None:
    """Lay every snapshot on `target` (R, 3), by the Cα atoms."""
    for state in _states(session, name):
        motion = superposition(_alphas(session, name, state), target)
        session.transform_selection(f"%{name}", motion.ravel().tolist(), state, homogenous=1)


def _alphas(session: Any, name: str, state: int) -> np.ndarray:
    """Positions of the protein's Cα atoms (R, 3) in Å."""
    protein = f"%{name} and polymer and guide and name CA and not {name}_ligand"
    positions = session.get_coords(protein, state)
    if positions is None or len(positions) < 3:
        raise CmdException(f"{name}: no protein of 3 or more residues to superpose")
    return positions


def _states(session: Any, name: str) -> range:
    return range(1, session.count_states(f"%{name}") + 1)


@contextmanager
def _quiet(session: Any) -> Iterator[None]:
    """Without a line for each snapshot."""
    session.feedback("push")
    session.feedback("disable", "objectmolecule", "everything")
    try:
        yield
    finally:
        session.feedback("pop")


@contextmanager
def _file_order(session: Any) -> Iterator[None]:
    """PyMOL sorts atoms by residue otherwise; a trajectory has them in the file's order."""
    before = session.get("retain_order")
    session.set("retain_order", 1)
    try:
        yield
    finally:
        session.set("retain_order", before)
