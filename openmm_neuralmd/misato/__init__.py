"""MISATO's HDF5 layout: read it lazily, and write it for others to read (see docs/misato.md)."""

from __future__ import annotations

from openmm_neuralmd.misato.conversion import convert
from openmm_neuralmd.misato.layout import LigandCodes
from openmm_neuralmd.misato.reader import Entry, list_entries, read_entry, read_names
from openmm_neuralmd.misato.structure import INTERVAL_PS, read_complex, read_misato
from openmm_neuralmd.misato.writer import write_entry

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
