"""GROMACS energy files, read by pyedr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...utils.optional import optional_import


def edr_reader() -> Any:
    """Import pyedr, or say how to install it; call this before a long run."""
    return optional_import("pyedr", extra="gromacs", purpose="--engine gromacs")


def read_edr(path: Path) -> dict[str, Any]:
    """Read all energies of an .edr file, as arrays by GROMACS's names."""
    energies: dict[str, Any] = edr_reader().edr_to_dict(str(path))
    return energies
