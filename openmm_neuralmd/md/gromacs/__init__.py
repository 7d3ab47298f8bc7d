"""All-atom reference runs with GROMACS: the same System, exported."""

from __future__ import annotations

from ...former import names_of
from .energies import gromacs_terms, openmm_terms
from .production import check, run_gromacs
from .program import Gmx, find_gmx

__all__ = ["Gmx", "check", "find_gmx", "gromacs_terms", "openmm_terms", "run_gromacs"]

__getattr__ = names_of(__name__)
