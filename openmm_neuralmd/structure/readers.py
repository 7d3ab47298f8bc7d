"""Structure files: PDB, mmCIF and Amber prmtop + coordinates to Topology and positions."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from openmm import app, unit

from ..errors import InputError, NeuralMDError, one_line
from ..utils.files import in_utf8, unpacked
from .alternates import alternate_atoms, choose, pdb_location
from .cell import is_cell, leave_out_tight_cell
from .mmcif import read_mmcif
from .pdb_text import is_atom, with_elements, with_readable_serials, without_unknown_atoms
from .residues import PROTONATION

_FARTHEST = 1e5  # nm
_PDB = {".pdb", ".ent"}
_MMCIF = {".cif", ".mmcif", ".pdbx"}
_AMBER = {".prmtop", ".parm7"}
_GROMACS = {".gro", ".g96", ".tpr"}


@dataclass(frozen=True, eq=False)
class Structure:
    """Content of a structure file.

    Attributes
    ----------
    topology : Topology
    positions : (N, 3) float64, nm
    alternates : dict
        Residue, as 'NAME CHAIN:NUMBER', to the names of its atoms with alternate locations.
    protonation : dict
        Residue, as 'CHAIN:NUMBER', to the name that says its protonation: HIP, ASH.  OpenMM's
        readers replace it by HIS and ASP.
    """

    topology: app.Topology
    positions: np.ndarray
    alternates: dict[str, list[str]] = field(default_factory=dict)
    protonation: dict[str, str] = field(default_factory=dict)


def read_structure(path: str | Path, coordinates: str | Path | None = None) -> Structure:
    """Read a structure from disk.

    Parameters
    ----------
    path : path
        PDB, mmCIF or Amber prmtop file, or one of these with .gz behind its name.
    coordinates : path, optional
        inpcrd, rst7, restrt, PDB or mmCIF file; what a prmtop needs, and nothing else may have.

    Raises
    ------
    InputError
        File missing, of an unknown kind, not readable as what it claims to be, or at odds with
        its coordinates.
    """
    path = existing(path)
    kind = path.suffix.lower()
    if kind == ".gz":
        with _decompressed(path) as inner:
            return read_structure(inner, coordinates)
    if kind in _AMBER:
        return _read_amber(path, coordinates)
    if coordinates is not None:
        raise InputError(f"{path.name} has its own coordinates; coordinates= is for Amber prmtop")
    if kind in _PDB | _MMCIF:
        return _parse(path, _read_pdb if kind in _PDB else _read_mmcif)
    if kind in _GROMACS:
        raise InputError(
            f"{path.name}: a GROMACS file ({kind}) is not read; write a PDB file from it: "
            f"gmx editconf -f {shlex.quote(str(path))} -o complex.pdb"
        )
    known = " ".join(sorted(_PDB | _MMCIF | _AMBER))
    raise InputError(f"{path.name}: unknown kind of structure file; known endings: {known}")


@contextmanager
def _decompressed(path: Path) -> Iterator[Path]:
    """The file inside a .gz, as the PDB serves its structures, under its own name."""
    with TemporaryDirectory() as place:
        inner = Path(place) / path.stem
        inner.write_bytes(unpacked(path))
        yield inner


def existing(path: str | Path) -> Path:
    """The path, or an error that names it when there is no such file or it is empty."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty; write it again")
    return path


def _parse(path: Path, reader: Callable[[Path], Structure]) -> Structure:
    try:
        structure = reader(path)
    except NeuralMDError:
        raise
    except Exception as error:  # the readers of OpenMM raise whatever a broken line leads to
        raise InputError(f"cannot read {path.name}: {one_line(error)}") from error
    if len(structure.positions) == 0:
        raise InputError(f"cannot read {path.name}: it has no atoms")
    if (np.abs(structure.positions) > _FARTHEST).any():
        raise InputError(f"cannot read {path.name}: an atom is more than 100 µm from the origin")
    leave_out_tight_cell(structure.topology, path.name)
    return structure


def _read_pdb(path: Path) -> Structure:
    lines = _first_model(path.read_text(errors="replace").splitlines(keepends=True))
    locations = [pdb_location(line) for line in lines]
    chosen = choose(path.name, [location for location in locations if location is not None])
    selected = [
        line
        for line, location in zip(lines, locations, strict=True)
        if location is None or location.label == chosen[location.residue]
    ]
    selected = with_elements(without_unknown_atoms(selected, path.name), path.name)
    selected = with_readable_serials(_with_true_cell(selected, path.name))
    _refuse_duplicates(path, selected)
    pdb = app.PDBFile(io.StringIO("".join(selected)))
    named = {
        f"{x[21:22].strip()}:{x[22:27].strip()}": x[17:21].strip() for x in atom_lines(selected)
    }
    protonation = {place: name for place, name in named.items() if name in PROTONATION}
    return Structure(pdb.topology, _nm(pdb.positions), alternate_atoms(locations), protonation)


def _with_true_cell(lines: list[str], file: str) -> list[str]:
    """The lines without a CRYST1 record that says no unit cell."""
    ends = (6, 15, 24, 33, 40, 47, 54)
    return [
        line
        for line in lines
        if not line.startswith("CRYST1") or is_cell([line[a:b] for a, b in pairwise(ends)], file)
    ]


def atom_lines(lines: Iterable[str]) -> list[str]:
    """The ATOM and HETATM records."""
    return [line for line in lines if is_atom(line)]


def _refuse_duplicates(path: Path, lines: list[str]) -> None:
    """Two atoms of one name in a residue: OpenMM would drop the second and go on."""
    current, names = "", set[str]()
    for line in lines:
        if line.startswith("TER"):  # a new chain for OpenMM
            current = ""
        if not is_atom(line):
            continue
        residue = f"{line[17:20].strip()} {line[21].strip()}:{line[22:27].strip()}"
        if residue != current:  # large systems reuse residue numbers later on
            current, names = residue, set()
        atom = line[12:16].strip()
        if atom in names:
            raise InputError(
                f"{path.name}: residue {residue} has two atoms named {atom}; "
                "give every atom of a residue a name of its own"
            )
        names.add(atom)


def _first_model(lines: list[str]) -> list[str]:
    """The first model, with the records that follow all models (CONECT)."""
    ends = [i for i, line in enumerate(lines) if line.startswith("ENDMDL")]
    if not ends:
        return lines
    return lines[: ends[0] + 1] + lines[ends[-1] + 1 :]


def _read_mmcif(path: Path) -> Structure:
    cif, alternates, protonation = read_mmcif(path)
    return Structure(cif.topology, _nm(cif.positions), alternates, protonation)


def _read_amber(path: Path, coordinates: str | Path | None) -> Structure:
    if coordinates is None:
        raise InputError(f"{path.name} has no coordinates; give coordinates= (inpcrd, rst7 or PDB)")
    source = existing(coordinates)
    if source.suffix.lower() in _PDB | _MMCIF:
        read = _read_pdb if source.suffix.lower() in _PDB else _read_mmcif
        positions, box = _parse(source, read).positions, None
    else:
        positions, box = _read_inpcrd(source)
    try:
        with in_utf8(path) as readable:
            topology = app.AmberPrmtopFile(str(readable), periodicBoxVectors=box).topology
    except Exception as error:
        raise InputError(f"cannot read {path.name}: {one_line(error)}") from error
    if topology.getNumAtoms() != len(positions):
        raise InputError(
            f"{path.name} has {topology.getNumAtoms()} atoms, {source.name} has {len(positions)}; "
            "give coordinates of the same system"
        )
    return Structure(topology, positions)


def _read_inpcrd(source: Path) -> tuple[np.ndarray, object]:
    try:
        with in_utf8(source) as readable:
            inpcrd = app.AmberInpcrdFile(str(readable))
    except Exception as error:
        raise InputError(f"cannot read {source.name}: {one_line(error)}") from error
    return _nm(inpcrd.positions), inpcrd.boxVectors


def _nm(positions: unit.Quantity) -> np.ndarray:
    return np.array(positions.value_in_unit(unit.nanometer), dtype=np.float64).reshape(-1, 3)
