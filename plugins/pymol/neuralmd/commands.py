"""The commands at PyMOL's prompt; their docstrings are what `help` shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pymol import CmdException, cmd

from . import scene
from .geometry import rmsf
from .ligand import find_ligand
from .trajectory import alphas, read, select_pocket, states, superpose

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
        read(_self, topology, trajectory, name, int(start), int(stop))
        residue = find_ligand(_self, name, ligand)
        _self.select(f"{name}_ligand", residue.selection(name), enable=0)
        superpose(_self, name, alphas(_self, name, 1))
        select_pocket(_self, name, float(pocket))
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
    values = rmsf(np.array([_self.get_coords(ligand, k) for k in states(_self, name)]))
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
    target = alphas(_self, reference, 1)
    residues = len(alphas(_self, prediction, 1))
    if residues != len(target):
        raise CmdException(
            f"{prediction} has {residues} C-alpha atoms, {reference} has {len(target)}: "
            "another protein"
        )
    for name in (reference, prediction):
        superpose(_self, name, target)
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
