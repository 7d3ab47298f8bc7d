"""MISATO's HDF5 layout, read lazily: one entry at a time, its snapshots block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

from ..errors import InputError, one_line, shown
from ..structure.readers import existing
from ..utils.hdf5 import dataset, group_of, opened
from .codes import (
    ATOM_ARRAYS,
    BEGINS,
    RESIDUES,
    STRUCTURE,
    TRAJECTORY,
    TYPES,
)

_CHAIN_ATOMS = 1000  # no peptide ligand of MISATO has as many
_BLOCK_BYTES = 16 * 2**20
_FARTHEST = 1e6  # Å; no simulated box is a tenth of a millimetre wide


@dataclass(frozen=True, eq=False)
class Entry:
    """One complex of a MISATO file: its small arrays; the snapshots stay on disk.

    Attributes
    ----------
    path : Path
    name : str
        PDB code as the file has it.
    element, number, residue, type : (N,) int64
        MISATO's `atoms_*` arrays; `number` are atomic numbers, the others codes.
    begins : (M,) int64
        First atom of each molecule; see `ligand`.
    snapshots : int
        0 for an entry that has one structure and no trajectory.
    interval_ps : float or None
        Only files written by this package say it.
    """

    path: Path
    name: str
    element: np.ndarray
    number: np.ndarray
    residue: np.ndarray
    type: np.ndarray
    begins: np.ndarray
    snapshots: int
    interval_ps: float | None

    @property
    def label(self) -> str:
        """File and entry, for messages."""
        return f"{self.path.name}: entry {self.name}"

    @property
    def molecules(self) -> list[range]:
        """Atoms of each molecule; some files close the list with the number of atoms."""
        edges = [*self.begins.tolist(), len(self.number)]
        return [range(a, b) for a, b in pairwise(edges) if a < b]

    @property
    def has_ligand(self) -> bool:
        """False where the last molecule begins behind the last atom: a protein alone."""
        return len(self.begins) > 1 and int(self.begins[-1]) < len(self.number)

    @property
    def ligand(self) -> range:
        """Atoms of the ligand: MISATO's last molecule, or the one small molecule of the entry.

        Raises
        ------
        InputError
            The last molecule is a protein chain, and several small molecules come before it.
        """
        molecules = self.molecules
        last = molecules[-1]
        small = [m for m in molecules if not self.residue[m.start : m.stop].any()]
        if not small or last in small or len(last) < _CHAIN_ATOMS:
            return last
        if len(small) > 1:
            places = ", ".join(f"{m.start} to {m.stop - 1}" for m in small)
            raise InputError(
                f"{self.label}: its last molecule is a protein chain of {len(last)} atoms, and "
                f"{len(small)} small molecules come before it (atoms {places}); put the ligand last"
            )
        return small[0]

    @property
    def peptide_ligand(self) -> bool:
        """True if the ligand consists of amino acids, as in 1,430 of MISATO's entries."""
        return self.has_ligand and bool(self.residue[self.ligand.start : self.ligand.stop].any())

    def structure(self) -> np.ndarray:
        """The first snapshot, or the only structure, (N, 3) float64 in Å."""
        with opened(existing(self.path)) as file:
            name = TRAJECTORY if self.snapshots else STRUCTURE
            data = dataset(file[self.name], name, self.label)
            return self._read(data if self.snapshots else data[:][None], slice(0, 1))[0]

    def blocks(self) -> Iterator[np.ndarray]:
        """All snapshots in blocks (t, N, 3) float64 in Å, a few at a time."""
        if not self.snapshots:
            raise InputError(f"{self.label} has one structure and no {TRAJECTORY}")
        with opened(existing(self.path)) as file:
            data = dataset(file[self.name], TRAJECTORY, self.label)
            step = _block_length(data)
            for start in range(0, self.snapshots, step):
                yield self._read(data, slice(start, min(start + step, self.snapshots)))

    def _read(self, data: h5py.Dataset | np.ndarray, part: slice) -> np.ndarray:
        try:
            points = np.asarray(data[part], dtype=np.float64)
        except OSError as error:
            raise InputError(
                f"{self.label}: snapshots from {part.start} on cannot be read, the file is "
                f"damaged: {one_line(error)}"
            ) from error
        strange = ~(np.abs(points) < _FARTHEST).all(axis=(1, 2))  # NaN is strange, too
        if strange.any():
            raise InputError(
                f"{self.label}: snapshot {part.start + int(strange.argmax())} has coordinates that "
                f"are not numbers or beyond {_FARTHEST:g} Å; the file is damaged"
            )
        return points


def _block_length(data: h5py.Dataset) -> int:
    """Number of snapshots in the whole chunks that fit into 16 MB, at least one chunk."""
    chunk = data.chunks[0] if data.chunks else 1
    frame = 8 * data.shape[1] * 3
    return max(1, _BLOCK_BYTES // (frame * chunk)) * chunk


def list_entries(path: str | Path) -> list[str]:
    """Names of the entries of a MISATO file; reads no arrays.

    Raises
    ------
    InputError
        No such file, not HDF5, damaged, or no entry in it.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import list_entries, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> snapshots = complex.positions[None].repeat(3, axis=0)  # nm
    >>> _ = write_entry(scratch / "MD.hdf5", "181L", complex, snapshots, 80.0)  # every 80 ps
    >>> list_entries(scratch / "MD.hdf5")
    ['181L']
    """
    path = Path(path)
    with opened(existing(path)) as file:
        names = [name for name in file if BEGINS in (group_of(file, name) or ())]
    if not names:
        raise InputError(f"{path.name} has no entry in MISATO's layout (none has {BEGINS})")
    return names


def read_entry(path: str | Path, name: str) -> Entry:
    """One entry, without its snapshots; upper or lower case of the name does not matter.

    Raises
    ------
    InputError
        No such file or entry, an array missing, or arrays that do not fit each other.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.misato import read_entry, write_entry
    >>> complex = example_complex("t4l-p-xylene")
    >>> snapshots = complex.positions[None].repeat(3, axis=0)  # nm
    >>> _ = write_entry(scratch / "MD.hdf5", "181L", complex, snapshots, 80.0)  # every 80 ps
    >>> entry = read_entry(scratch / "MD.hdf5", "181l")
    >>> entry.name, entry.snapshots, len(entry.ligand)
    ('181L', 3, 18)
    """
    path = Path(path)
    with opened(existing(path)) as file:
        key = next((n for n in (name, name.upper(), name.lower()) if n in file), None)
        if key is None:
            raise InputError(
                f"{path.name} has no entry {name!r}; it has {len(file)}: {shown(file)}"
            )
        label = f"{path.name}: entry {key}"
        group = group_of(file, key)
        _refuse_missing(label, set(group or ()))
        assert group is not None
        return _read_arrays(path, group, label)


def _refuse_missing(label: str, present: set[str]) -> None:
    missing = [array for array in (*ATOM_ARRAYS, BEGINS) if array not in present]
    if not {TRAJECTORY, STRUCTURE} & present:
        missing.append(f"{TRAJECTORY} (or {STRUCTURE})")
    if missing:
        raise InputError(f"{label} lacks {', '.join(missing)}; not MISATO's layout")


def _read_arrays(path: Path, group: h5py.Group, label: str) -> Entry:
    element, number, residue, kind, begins = (
        np.asarray(dataset(group, array, label), dtype=np.int64).ravel()
        for array in (*ATOM_ARRAYS, BEGINS)
    )
    interval = group.attrs.get("interval_ps")
    moving = TRAJECTORY in group
    shape = dataset(group, TRAJECTORY if moving else STRUCTURE, label).shape
    if len(shape) != 2 + moving:
        raise InputError(f"{label}: coordinates of shape {shape}; is it MISATO's layout?")
    entry = Entry(
        path,
        group.name.lstrip("/"),
        element,
        number,
        residue,
        kind,
        begins,
        snapshots=shape[0] if moving else 0,
        interval_ps=None if interval is None else float(interval),
    )
    _check_sizes(entry, shape)
    _check_codes(entry)
    return entry


def _check_sizes(entry: Entry, coordinates: tuple[int, ...]) -> None:
    atoms = len(entry.number)
    arrays = {
        "atoms_element": entry.element.shape,
        "atoms_residue": entry.residue.shape,
        "atoms_type": entry.type.shape,
        "the coordinates": coordinates[-2:-1],
    }
    wrong = [f"{shape} in {name}" for name, shape in arrays.items() if shape != (atoms,)]
    if wrong or coordinates[-1] != 3 or not atoms:
        what = ", ".join(wrong) or f"coordinates of shape {coordinates}"
        raise InputError(f"{entry.label} has ({atoms},) atoms in atoms_number, but {what}")
    begins = entry.begins
    if not len(begins) or begins[0] != 0 or (np.diff(begins) <= 0).any() or begins[-1] > atoms:
        raise InputError(
            f"{entry.label}: {BEGINS} {begins.tolist()} must start at 0, increase, and stay within "
            f"{atoms} atoms"
        )


def _check_codes(entry: Entry) -> None:
    """Codes of another version of the maps are noticed here, not as strange residues."""
    for array, codes, most in (
        ("atoms_residue", entry.residue, len(RESIDUES) - 1),
        ("atoms_type", entry.type, len(TYPES)),
        ("atoms_number", entry.number, 118),
    ):
        bad = np.flatnonzero((codes < 0) | (codes > most))
        if len(bad):
            raise InputError(
                f"{entry.label}: {array} of atom {bad[0]} is {codes[bad[0]]}, not within 0 to "
                f"{most}; was the file written with other maps?"
            )


def read_names(path: str | Path) -> list[str]:
    r"""Entry names of a split file or of peptides.txt: one per line, in upper case as in MD.hdf5.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from openmm_neuralmd.misato import read_names
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "test.txt"
    ...     _ = file.write_text("11gs\n181l\n")
    ...     read_names(file)
    ['11GS', '181L']
    """
    names = [line.strip().upper() for line in existing(path).read_text().splitlines()]
    entries = [name for name in names if name]
    if not entries:
        raise InputError(f"{Path(path).name} names no entry; one PDB code per line is due")
    return entries
