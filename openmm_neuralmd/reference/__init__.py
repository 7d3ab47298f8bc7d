"""All-atom references: complexes prepared for simulation."""

from __future__ import annotations

from .folder import ComplexFolder, write_folder
from .prepare import PrepareSettings, prepare

__all__ = ["ComplexFolder", "PrepareSettings", "prepare", "write_folder"]
