"""All-atom references: complexes prepared for simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.lazy import at_first_use

if TYPE_CHECKING:
    from ..md.folder import ComplexFolder
    from ..md.folder_writer import write_folder
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

# The pipeline needs mdtraj, parmed and pdbfixer; predictions read their ligands without them.
__getattr__ = at_first_use(
    __name__,
    {
        "ComplexFolder": "..md.folder",
        "PrepareSettings": ".settings",
        "import_amber": ".imports",
        "import_gromacs": ".imports",
        "import_openmm": ".imports",
        "prepare": ".pipeline",
        "write_folder": "..md.folder_writer",
    },
)
