"""MISATO's HDF5 layout: read it lazily, and write it for others to read (see docs/misato.md)."""

from __future__ import annotations

from .conversion import convert
from .layout import LigandCodes
from .reader import (
    Entry,
    list_entries,
    read_entry,
    read_names,
)
from .structure import INTERVAL_PS, read_complex, read_misato
from .writer import write_entry

__all__ = [
    "INTERVAL_PS",
    "Entry",
    "LigandCodes",
    "convert",
    "list_entries",
    "read_complex",
    "read_entry",
    "read_misato",
    "read_names",
    "write_entry",
]
