"""All-atom references: complexes prepared for simulation."""

from __future__ import annotations

from ..md.folder import ComplexFolder, write_folder
from .imports import import_amber, import_gromacs, import_openmm
from .pipeline import prepare
from .settings import PrepareSettings

__all__ = [
    "ComplexFolder",
    "PrepareSettings",
    "import_amber",
    "import_gromacs",
    "import_openmm",
    "prepare",
    "write_folder",
]
