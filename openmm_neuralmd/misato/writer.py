"""A user's own complex and trajectory as an entry of a MISATO file."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import mdtraj
import numpy as np
from openmm import unit

from ..errors import InputError, one_line
from ..structure.complex import Complex
from ..units import nanometers, picoseconds, to_angstrom
from ..utils.files import complete
from ..utils.hdf5 import written
from ..utils.lock import Lock
from . import observables
from .codes import BEGINS, TRAJECTORY
from .layout import Layout, LigandCodes, layout_of


def write_entry(
    path: str | Path,
    name: str,
    complex: Complex,
    snapshots: np.ndarray | Iterable[np.ndarray],
    interval: Any,
    *,
    ligand: LigandCodes | None = None,
    replace: bool = False,
) -> Path:
    """Add an entry to a MISATO file, or start one.

    The file is copied, added to, and renamed: interrupted at any time, what was there stays.

    Parameters
    ----------
    path : path
    name : str
        Of the entry; MISATO has PDB codes in upper case.
    complex : Complex
    snapshots : (T, N, 3) Quantity or nm, or an iterable of blocks (t, N, 3)
        All atoms of the complex, molecules whole; water and ions are left out of the entry.
    interval : Quantity or float in ps
    ligand : LigandCodes, optional
        The ligand's atom types, where they are known; else they are approximated (see `gaff`).
    replace : bool
        Whether an entry of this name may be replaced.

    Raises
    ------
    InputError
        The name is taken, a residue or element has no place in the layout, the snapshots do not
        fit the complex or have NaN, or the file cannot be written.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import list_entries, read_entry, read_misato, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> folder = TemporaryDirectory()
    >>> file = Path(folder.name) / "MD.hdf5"
    >>> _ = write_entry(file, "181L", complex, complex.positions[None].repeat(3, axis=0), 80.0)
    >>> list_entries(file)
    ['181L']
    >>> entry = read_entry(file, "181l")
    >>> entry.snapshots, len(entry.ligand)
    (3, 18)
    >>> read_misato(entry).ligand.shape
    (3, 8, 3)
    """
    path = Path(path)
    blocks = [snapshots] if isinstance(snapshots, np.ndarray | unit.Quantity) else snapshots
    layout = layout_of(complex, ligand)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whoever copies the file while another adds to its own copy would lose that entry.
        lock = Lock(path.parent, f".{path.name}.lock")
        try:
            with complete(path) as partial:
                if path.exists():
                    shutil.copyfile(path, partial)
                with written(partial) as file:
                    if name in file and not replace:
                        raise InputError(f"{path.name} already has an entry {name}; replace=True")
                    if name in file:
                        del file[name]
                    group = file.create_group(name)
                    _write(group, complex, layout, blocks, picoseconds(interval))
        finally:
            lock.release()
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or one_line(error)}") from error
    return path


def _write(
    group: h5py.Group,
    complex: Complex,
    layout: Layout,
    blocks: Iterable[np.ndarray],
    interval_ps: float,
) -> None:
    for array in ("number", "element", "residue", "type"):
        codes = getattr(layout, array)
        group.create_dataset(f"atoms_{array}", data=codes, dtype="i8", compression="gzip")
    group.create_dataset(BEGINS, data=layout.begins, dtype="i8", compression="gzip")
    group.attrs.update(
        written_by=f"openmm_neuralmd {version('openmm_neuralmd')}",
        interval_ps=interval_ps,
        ligand_types=layout.ligand_types,
    )
    frames = _write_snapshots(group, complex, layout, blocks)
    for array, values in frames.items():
        data = group.create_dataset(array, data=values, dtype="f8", compression="gzip")
        data.attrs["definition"] = observables.DEFINITIONS[array]


def _write_snapshots(
    group: h5py.Group, complex: Complex, layout: Layout, blocks: Iterable[np.ndarray]
) -> dict[str, np.ndarray]:
    """Write the coordinates block by block; returns the observables of all snapshots."""
    count = len(layout.order)
    data = group.create_dataset(
        TRAJECTORY,
        shape=(0, count, 3),
        maxshape=(None, count, 3),
        chunks=(1, count, 3),  # readers take whole snapshots
        dtype="f8",
        compression="gzip",
    )
    observed = _Observables(complex, layout)
    parts: list[dict[str, np.ndarray]] = []
    for block in blocks:
        points = _checked(complex, block, len(data))[:, layout.order]
        if not len(points):
            continue
        data.resize(len(data) + len(points), axis=0)
        data[len(data) - len(points) :] = points
        parts.append(observed.of(points))
    if not len(data):
        raise InputError(f"{complex.name}: there are no snapshots to write")
    return {array: np.concatenate([part[array] for part in parts]) for array in parts[0]}


def _checked(complex: Complex, block: Any, start: int) -> np.ndarray:
    points = nanometers(block)
    atoms = complex.topology.getNumAtoms()
    if points.ndim != 3 or points.shape[1:] != (atoms, 3):
        raise InputError(
            f"{complex.name}: snapshots have shape {points.shape}, (snapshots, {atoms}, 3) is due"
        )
    bad = np.flatnonzero(~np.isfinite(points).all(axis=(1, 2)))
    if len(bad):
        raise InputError(
            f"{complex.name}: snapshot {start + bad[0]} has positions that are not numbers"
        )
    return to_angstrom(points)


class _Observables:
    """The `frames_*` of blocks of snapshots, against the first snapshot of the first block."""

    def __init__(self, complex: Complex, layout: Layout) -> None:
        place = {int(particle): k for k, particle in enumerate(layout.order)}
        elements = list(complex.topology.atoms())
        masses = [elements[i].element.mass.value_in_unit(unit.dalton) for i in layout.order]
        self._masses = np.array(masses)
        self._ligand = np.array([place[int(i)] for i in complex.ligand])
        self._heavy = np.array([place[int(i)] for i in complex.ligand_heavy])
        self._alphas = np.array([place[int(i)] for i in complex.backbone[:, 1]])
        topology = mdtraj.Topology.from_openmm(complex.topology)
        self._topology = topology.subset(np.sort(layout.order))
        self._sorted = np.argsort(layout.order)  # MDTraj keeps the complex's order
        self._reference: np.ndarray | None = None

    def of(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Every observable of snapshots (t, M, 3) in Å."""
        if self._reference is None:
            self._reference = points[0].copy()
        ligand = np.flatnonzero(np.isin(self._sorted, self._ligand))
        rmsd = observables.ligand_rmsd(points, self._reference, self._alphas, self._heavy)
        return {
            "frames_rmsd_ligand": rmsd,
            "frames_distance": observables.centre_distance(points, self._masses, self._ligand),
            "frames_bSASA": observables.buried_area(
                points[:, self._sorted], self._topology, ligand
            ),
            "frames_interaction_energy": np.full(len(points), np.nan),
        }
