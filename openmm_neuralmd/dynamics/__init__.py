"""Ways to move a ligand, one file each, and the registry of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError
from .learned import LEARNED, Learned, Propagator
from .ode import NeuralODE, NeuralODESettings
from .rollouts import rollout
from .sde import NeuralSDE, NeuralSDESettings
from .state import State
from .trivial import TRIVIAL

DYNAMICS: dict[str, Callable[..., Any]] = {
    **{name: kind.module for name, kind in LEARNED.items()},
    **TRIVIAL,
}
"""Every way to move, by the name it has in settings files and tables."""


def dynamics(name: str) -> Callable[..., Any]:
    """The dynamics of that name, or an error that lists the names there are."""
    if name not in DYNAMICS:
        raise InputError(f"unknown dynamics '{name}'; choose one of: {', '.join(DYNAMICS)}")
    return DYNAMICS[name]


__all__ = [
    "DYNAMICS",
    "LEARNED",
    "TRIVIAL",
    "Learned",
    "NeuralODE",
    "NeuralODESettings",
    "NeuralSDE",
    "NeuralSDESettings",
    "Propagator",
    "State",
    "dynamics",
    "rollout",
]
