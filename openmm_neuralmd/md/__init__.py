"""All-atom reference runs with OpenMM: the moving part of a complex, and the stored atoms."""

from __future__ import annotations

from ..former import names_of
from .modes import MODES, Setup, build
from .outcome import ReferenceRun
from .production import run_reference
from .settings import MDSettings

__all__ = ["MODES", "MDSettings", "ReferenceRun", "Setup", "build", "run_reference"]

__getattr__ = names_of(__name__)
