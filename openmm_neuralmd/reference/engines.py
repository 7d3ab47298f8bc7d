"""Engines that make a reference trajectory, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InputError
from . import gromacs, md
from .md import MDSettings, ReferenceRun


@dataclass(frozen=True)
class Engine:
    """A program that simulates.

    Attributes
    ----------
    run : callable
        As `run_reference`.
    check : callable
        Refuses settings that it cannot carry out, before any work.
    """

    run: Callable[..., ReferenceRun]
    check: Callable[[MDSettings], None]


ENGINES = {
    "openmm": Engine(md.run_reference, MDSettings.check),
    "gromacs": Engine(gromacs.run_gromacs, gromacs.check),
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
