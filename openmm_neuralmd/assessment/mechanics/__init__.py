"""Checks of a model's mechanics: symmetry, derivatives, solvers, and energy conservation."""

from .conservation import conservation
from .nve import NVESettings, nve

__all__ = ["NVESettings", "conservation", "nve"]
