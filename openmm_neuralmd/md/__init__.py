"""All-atom reference runs with OpenMM: which part of a complex moves, and what is kept of it."""

from __future__ import annotations

from .equilibration import relax_box
from .modes import MODES, Setup, build
from .outcome import ReferenceRun
from .production import run_reference
from .settings import MDSettings

__all__ = ["MODES", "MDSettings", "ReferenceRun", "Setup", "build", "relax_box", "run_reference"]
