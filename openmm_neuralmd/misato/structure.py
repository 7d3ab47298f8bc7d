"""A `Complex` and its `Snapshots` from an entry."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ..errors import InputError
from ..structure.complex import Complex
from ..structure.residues import selection_of
from ..trajectory import snapshots as trajectories
from ..trajectory.readers import RawFrames
from ..trajectory.snapshots import Snapshots
from ..units import picoseconds, to_nm
from .reader import Entry
from .topology import build_topology

INTERVAL_PS = 80.0
"""8 ns over 100 snapshots, as MISATO's paper says; a file of MISATO itself does not say it."""

_LEFT = 15.0  # Å from the nearest Cα; bound ligands stay within 8


def read_complex(entry: Entry) -> Complex:
    """The entry's first snapshot as a `Complex`; the ligand's bonds are perceived, see `chemistry`.

    Raises
    ------
    InputError
        A protein without ligand, a ligand covalently bound or in pieces, or what else
        `Complex.from_openmm` refuses.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import read_complex, read_entry, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> snapshots = complex.positions[None].repeat(3, axis=0)  # nm
    >>> _ = write_entry(scratch / "MD.hdf5", "181L", complex, snapshots, 80.0)  # every 80 ps
    >>> read_complex(read_entry(scratch / "MD.hdf5", "181L")).ligand_heavy.shape
    (8,)
    """
    if not entry.has_ligand:
        raise InputError(f"{entry.label} has no ligand: its last molecule begins behind all atoms")
    positions = entry.structure()
    topology = build_topology(entry, positions)
    ligand = list(topology.atoms())[entry.ligand.start].residue
    try:
        return Complex.from_openmm(
            topology, to_nm(positions), ligand=selection_of(ligand), name=entry.name
        )
    except InputError as error:
        raise InputError(f"{entry.label}: {error}") from error


def read_misato(
    entry: Entry, *, interval: Any = None, stop: int | None = None, hydrogens: bool = False
) -> Snapshots:
    """The entry's snapshots, superposed; memory: the ligand and the Cα atoms, and one block.

    Parameters
    ----------
    entry : Entry
    interval : Quantity or float in ps, optional
        What the file says (only files of this package do), else 80 ps.
    stop : int, optional
        Read only the snapshots before this one.
    hydrogens : bool
        See `Complex.with_hydrogens`.

    Raises
    ------
    InputError
        No trajectory, fewer than two snapshots, NaN, a protein in pieces, or a ligand that leaves.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import read_entry, read_misato, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> snapshots = complex.positions[None].repeat(3, axis=0)  # nm
    >>> _ = write_entry(scratch / "MD.hdf5", "181L", complex, snapshots, 80.0)  # every 80 ps
    >>> read_misato(read_entry(scratch / "MD.hdf5", "181L")).ligand.shape
    (3, 8, 3)
    """
    complex = read_complex(entry).with_hydrogens(hydrogens)
    atoms = np.concatenate([complex.backbone[:, 1], complex.ligand_sites])
    selected = np.concatenate([block[:, atoms] for block in entry.blocks()])[:stop]
    if len(selected) < 2:
        raise InputError(f"{entry.label} has {len(selected)} snapshot; two or more are needed")
    frames = RawFrames(entry.label, complex.positions, atoms, to_nm(selected), None, None)
    trajectories.refuse_nan(frames, complex)
    _refuse_departure(entry, selected, complex.n_residues)
    ligand, _ = trajectories.in_protein_frame(frames, complex)
    trajectories.refuse_pieces(entry.label, ligand, complex)
    return Snapshots(complex, ligand, entry_interval(entry, interval))


def entry_interval(entry: Entry, interval: Any = None) -> float:
    """Time between snapshots in ps: the caller's word, the file's, or MISATO's 80."""
    if interval is None:
        return entry.interval_ps or INTERVAL_PS
    given = picoseconds(interval)
    if not 0 < given < np.inf:
        raise InputError(f"interval={given} ps: the time between snapshots must be positive")
    return given


def _refuse_departure(entry: Entry, selected: np.ndarray, alphas: int) -> None:
    """A ligand that dissociated, or that imaging put beside another copy of the box."""
    for snapshot, points in enumerate(selected):
        reach = cKDTree(points[:alphas]).query(points[alphas:])[0].min()
        if reach > _LEFT:
            raise InputError(
                f"{entry.label}: in snapshot {snapshot} the ligand is {reach:.0f} Å from the "
                "nearest Cα: it left, or stands beside another periodic image (MISATO keeps no "
                f"box); leave the entry out, or read the snapshots before with stop={snapshot}"
            )
