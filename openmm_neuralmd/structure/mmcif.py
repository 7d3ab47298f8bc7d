"""mmCIF files: one location for each residue, without unknown atoms, with a cell that is one."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from openmm import app

from ..errors import InputError
from ..utils.files import read_text
from .alternates import alternate_atoms, choose, mmcif_location
from .cell import is_cell
from .pdb_text import UNKNOWN, is_element, warn_of_unknown_atoms
from .residues import PROTONATION

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_NO_ELEMENT = frozenset(("", ".", "?", "X"))

Row = dict[str, str]


def read_mmcif(path: Path) -> tuple[app.PDBxFile, dict[str, list[str]], dict[str, str]]:
    """Read an mmCIF file.

    Returns
    -------
    file : PDBxFile
    alternates, protonation : dict
        See `readers.Structure`.

    Raises
    ------
    InputError
        It has no atoms.
    """
    from openmm.app.internal.pdbx.reader.PdbxReader import PdbxReader
    from openmm.app.internal.pdbx.writer.PdbxWriter import PdbxWriter

    blocks: list[Any] = []
    text = read_text(path)
    PdbxReader(io.StringIO(text)).read(blocks)
    atoms = blocks[0].getObj("atom_site") if blocks else None
    if atoms is None:
        raise InputError(f"cannot read {path.name}: it has no _atom_site records")
    names = atoms.getAttributeList()
    column = {name: i for i, name in enumerate(names)}
    rows = atoms.getRowList()
    locations = [mmcif_location(row, column) for row in rows]
    chosen = choose(path.name, [location for location in locations if location is not None])
    read = [dict(zip(names, row, strict=False)) for row in rows]
    unknown = [_is_unknown(row) for row in read]
    warn_of_unknown_atoms(
        (f"{_name(row)} {_place(row)}" for row, leave in zip(read, unknown, strict=True) if leave),
        path.name,
    )
    keep = [
        not leave and (location is None or location.label == chosen[location.residue])
        for leave, location in zip(unknown, locations, strict=True)
    ]
    rows[:] = [row for row, stays in zip(rows, keep, strict=True) if stays]
    changed = _without_false_cell(blocks[0], path.name) or not all(keep)
    if changed:
        written = io.StringIO()
        PdbxWriter(written).write(blocks)
        text = written.getvalue()
    protonation = {_place(row): _name(row) for row in read if _name(row) in PROTONATION}
    return app.PDBxFile(io.StringIO(text)), alternate_atoms(locations), protonation


def _name(row: Row) -> str:
    return row.get("auth_comp_id") or row.get("label_comp_id", "")


def _place(row: Row) -> str:
    chain = row.get("auth_asym_id") or row.get("label_asym_id", "")
    insertion = row.get("pdbx_PDB_ins_code", "").strip("?.")
    return f"{chain}:{row.get('auth_seq_id') or row.get('label_seq_id', '')}{insertion}"


def _is_unknown(row: Row) -> bool:
    """Test whether an atom is density of unknown origin."""
    symbol = row.get("type_symbol", "").strip().upper()
    return _name(row) in UNKNOWN and (symbol in _NO_ELEMENT or not is_element(symbol))


def _without_false_cell(block: Any, file: str) -> bool:
    """Remove an invalid unit cell; return True if there was one."""
    cell = block.getObj("cell")
    if cell is None or cell.getRowCount() == 0:
        return False
    row = dict(zip(cell.getAttributeList(), cell.getRow(0), strict=False))
    if is_cell([row.get(name, "?") for name in _CELL], file):
        return False
    block.remove("cell")
    return True
