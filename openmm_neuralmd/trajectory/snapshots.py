"""Snapshots of a complex: read, made whole, superposed on the protein; and written as DCD."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from openmm import app, unit

from ..errors import InputError
from ..structure.bonds import covalent_radius
from ..structure.complex import Complex
from ..structure.imaging import make_whole, spanning_tree, superpose
from ..structure.parts import whole_molecules
from ..structure.residues import describe
from ..units import nanometers, picoseconds, to_angstrom
from ..utils.files import complete
from .readers import RawFrames, read_frames
from .timestamps import find_interval, find_replicas, take_every

_STRETCHED = 2.0  # times the sum of covalent radii; a bond in MD stays within 0.8 to 1.3
_CA_CA = 0.38  # nm


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Ligand snapshots in the protein's frame, equally spaced in time.

    Attributes
    ----------
    complex : Complex
        Its positions are the first snapshot: the reference of the superposition, and the rigid
        protein.
    ligand : (T, n, 3) float64, Å
        Atoms in the order of `complex.ligand_sites`, every snapshot superposed on the Cα
        atoms of the first, the molecule whole and in the protein's image.
    interval_ps : float
        Time between snapshots, Δ.
    breaks : tuple of int
        Index of the first snapshot of each later replica.  No window may cross one.

    Examples
    --------
    >>> from openmm_neuralmd import example
    >>> snapshots = example("gpcr-ergotamine")
    >>> len(snapshots), snapshots.interval_ps, snapshots.segments[0]
    (250, 6000.0, range(0, 84))
    >>> snapshots[:10].ligand.shape
    (10, 43, 3)
    """

    complex: Complex
    ligand: np.ndarray
    interval_ps: float
    breaks: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ligand)

    @property
    def segments(self) -> list[range]:
        """Snapshot indices of each replica."""
        edges = [0, *self.breaks, len(self)]
        return [range(a, b) for a, b in pairwise(edges)]

    def __getitem__(self, part: slice) -> Snapshots:
        """A contiguous part, with its breaks; the complex and Δ stay.

        Raises
        ------
        InputError
            For a step other than 1, which would change Δ (use `read_snapshots(stride=)`), or an
            empty part.
        """
        if not isinstance(part, slice):
            raise TypeError("Snapshots are taken by slices; .ligand[i] is one snapshot")
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise InputError("a slice with a step changes the stride; use read_snapshots(stride=)")
        if stop <= start:
            raise InputError(f"no snapshots in [{start}:{stop}] of {len(self)}")
        breaks = tuple(b - start for b in self.breaks if start < b < stop)
        return replace(self, ligand=self.ligand[start:stop], breaks=breaks)

    def split(self, fraction: float = 0.8) -> tuple[Snapshots, Snapshots]:
        """The first `fraction` of the snapshots and the rest, in time order."""
        cut = round(fraction * len(self))
        if not 0 < cut < len(self):
            raise InputError(f"split({fraction}) of {len(self)} snapshots leaves one part empty")
        return self[:cut], self[cut:]


def read_snapshots(
    trajectory: str | Path,
    complex: Complex,
    *,
    interval: Any = None,
    boundaries: Iterable[int] | None = None,
    stride: int = 1,
) -> Snapshots:
    """Read a trajectory of `complex` (DCD, XTC, NetCDF, HDF5, or another format of MDTraj).

    Parameters
    ----------
    trajectory : path
    complex : Complex
        Of the same atoms in the same order.
    interval : Quantity or float in ps, optional
        Time between the file's snapshots; needed where the file does not say, and it overrides
        what the file says.
    boundaries : ints, optional
        Index in the file of the first snapshot of each later replica.  By default a replica
        starts wherever the time stamps do not increase.
    stride : int
        Keep every stride-th snapshot of each replica.

    Raises
    ------
    InputError
        File missing, damaged or truncated; other atoms than the complex; fewer than two
        snapshots; NaN; time stamps that are not equally spaced; a ligand in pieces.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex, read_snapshots
    >>> from openmm_neuralmd.examples import example_trajectory
    >>> name = "gpcr-ergotamine"
    >>> snapshots = read_snapshots(example_trajectory(name), example_complex(name), stride=2)
    >>> snapshots.interval_ps
    12000.0
    """
    frames = read_frames(Path(trajectory), complex)
    refuse_nan(frames, complex)
    given = None if boundaries is None else sorted({int(b) for b in boundaries})
    breaks = find_replicas(frames.name, len(frames.selected), frames.times, given)
    interval_ps = find_interval(frames.name, frames.times, breaks, interval)
    indices, breaks = take_every(stride, len(frames.selected), breaks)
    ligand, first = in_protein_frame(frames, complex)
    refuse_pieces(frames.name, ligand, complex)
    return Snapshots(complex.with_positions(first), ligand[indices], interval_ps * stride, breaks)


def refuse_nan(frames: RawFrames, complex: Complex) -> None:
    """Name the first snapshot with coordinates that are not numbers."""
    bad = np.argwhere(~np.isfinite(frames.selected).all(axis=-1))
    if len(bad):
        snapshot, column = bad[0]
        atom = list(complex.topology.atoms())[frames.atoms[column]]
        raise InputError(
            f"{frames.name}: snapshot {snapshot} has coordinates that are not numbers "
            f"({atom.name} of {describe(atom.residue)}); cut the trajectory before it"
        )


def in_protein_frame(frames: RawFrames, complex: Complex) -> tuple[np.ndarray, np.ndarray]:
    """Ligand `sites` (T, n, 3) in Å on the first snapshot's Cα; that snapshot (N, 3) in nm."""
    first, box = frames.first, None if frames.boxes is None else frames.boxes[0]
    if box is not None:
        first = whole_molecules(complex.topology, first, complex.backbone, complex.ligand, box)
    alphas = complex.n_residues
    if alphas < 3:
        raise InputError(f"{complex.name}: {alphas} residues; superposition needs 3 or more Cα")
    selected = frames.selected
    if frames.boxes is not None:
        tree = spanning_tree(first[frames.atoms], None)
        selected = make_whole(selected, tree, frames.boxes)
    _refuse_strange(frames.name, selected[:, :alphas], complex)
    rotation, translation = superpose(selected[:, :alphas], first[frames.atoms[:alphas]])
    moved = np.einsum("tai,tij->taj", selected[:, alphas:], rotation) + translation[:, None]
    return to_angstrom(moved), first


def _refuse_strange(name: str, alphas: np.ndarray, complex: Complex) -> None:
    """Refuse a trajectory in which neighbours in the chain are far apart: another protein."""
    links = np.flatnonzero(complex.linked)
    length = np.linalg.norm(alphas[:, links + 1] - alphas[:, links], axis=-1)
    strange = np.argwhere((length < 0.5 * _CA_CA) | (length > 2 * _CA_CA))
    if len(strange):
        snapshot, link = strange[0]
        atoms = list(complex.topology.atoms())
        a, b = (describe(atoms[complex.backbone[links[link] + k, 1]].residue) for k in (0, 1))
        raise InputError(
            f"{name}: in snapshot {snapshot} the Cα of {a} and {b} are "
            f"{length[snapshot, link]:.3g} nm apart, not {_CA_CA}: a damaged file, a protein cut "
            "by its box, another unit or another protein"
        )


def refuse_pieces(name: str, ligand: np.ndarray, complex: Complex) -> None:
    """Name the first snapshot in which the ligand (T, n, 3) in Å is torn."""
    bonds = complex.site_bonds
    numbers = complex.ligand_atomic_numbers[complex.sites]
    radii = np.array([covalent_radius(number) for number in numbers])
    length = np.linalg.norm(ligand[:, bonds[:, 0]] - ligand[:, bonds[:, 1]], axis=-1)
    ratio = length / radii[bonds].sum(axis=1)
    torn = np.argwhere((ratio > _STRETCHED) | (ratio < 1 / _STRETCHED))
    if len(torn):
        snapshot, bond = torn[0]
        atoms = list(complex.topology.atoms())
        a, b = (atoms[complex.ligand_sites[i]].name for i in bonds[bond])
        raise InputError(
            f"{name}: in snapshot {snapshot} the ligand's bond {a}–{b} is "
            f"{length[snapshot, bond]:.1f} Å long; are these the same atoms, and are the "
            "molecules whole? (gmx trjconv -pbc whole, cpptraj autoimage)"
        )


def write_trajectory(
    path: str | Path,
    complex: Complex,
    positions_nm: np.ndarray,
    interval_ps: Any,
) -> Path:
    """Write a DCD with its time step and, if the complex is periodic, its box.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : path
    complex : Complex
    positions_nm : (T, N, 3) Quantity or nm
    interval_ps : Quantity or ps
        Time between snapshots.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from openmm_neuralmd import example_complex, write_trajectory
    >>> complex = example_complex("t4l-p-xylene")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = write_trajectory(Path(folder) / "a.dcd", complex, complex.positions[None], 1.0)
    ...     path.stat().st_size > 12 * len(complex.positions)
    True
    """
    path = Path(path)
    snapshots = nanometers(positions_nm)
    atoms = complex.topology.getNumAtoms()
    if snapshots.ndim != 3 or snapshots.shape[1:] != (atoms, 3):
        raise InputError(
            f"{path.name}: positions have shape {snapshots.shape}, (snapshots, {atoms}, 3) is due"
        )
    if not np.isfinite(snapshots).all():
        raise InputError(f"{path.name}: positions that are not numbers are not written")
    time_step = picoseconds(interval_ps) * unit.picosecond
    try:
        with complete(path) as partial, partial.open("wb") as file:
            dcd = app.DCDFile(file, complex.topology, time_step)
            for snapshot in snapshots:
                dcd.writeModel(snapshot * unit.nanometer)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
    return path
