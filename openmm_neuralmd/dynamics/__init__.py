"""Ways to move a ligand, one file each, and the registry of their names."""

from __future__ import annotations

from ..errors import InputError
from .ode import NeuralODE, NeuralODESettings
from .rollouts import Propagator, rollout
from .state import State
from .trivial import TRIVIAL

DYNAMICS: dict[str, type] = {"neuralmd-ode": NeuralODE, **TRIVIAL}
"""Every way to move, by the name it has in settings files and tables."""


def dynamics(name: str) -> type:
    """The dynamics of that name, or an error that lists the names there are."""
    if name not in DYNAMICS:
        raise InputError(f"unknown dynamics '{name}'; choose one of: {', '.join(DYNAMICS)}")
    return DYNAMICS[name]


__all__ = [
    "DYNAMICS",
    "TRIVIAL",
    "NeuralODE",
    "NeuralODESettings",
    "Propagator",
    "State",
    "dynamics",
    "rollout",
]
