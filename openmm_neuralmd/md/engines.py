"""Engines that make a reference trajectory, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from . import gromacs
from .equilibration import relax_box
from .gromacs import box
from .modes import Setup
from .outcome import ReferenceRun
from .production import run_reference
from .settings import MDSettings


@dataclass(frozen=True)
class Engine:
    """A program that simulates.

    Attributes
    ----------
    run : callable
        As `run_reference`.
    check : callable
        Refuses settings that it cannot carry out, before any work.
    relax_box : callable
        Brings a box of water to its density: positions (N, 3) and box (3, 3), in nm.
    """

    run: Callable[..., ReferenceRun]
    check: Callable[[MDSettings], None]
    relax_box: Callable[[Setup, MDSettings, float], tuple[np.ndarray, np.ndarray]]


ENGINES = {
    "openmm": Engine(run_reference, MDSettings.check, relax_box),
    "gromacs": Engine(gromacs.run_gromacs, gromacs.check, box.relax_box),
}


def choose_engine(name: str) -> Engine:
    """An engine by name.

    Raises
    ------
    InputError
    """
    if name not in ENGINES:
        raise InputError(f"unknown engine '{name}'; known: {', '.join(ENGINES)}")
    return ENGINES[name]
