"""Dynamics of a ligand from snapshot to snapshot, one file each, and their registry."""

from __future__ import annotations

from ..former import names_of
from .naive import TRIVIAL
from .ode import NeuralODE, NeuralODESettings
from .registry import LEARNED, Learned, Propagator
from .sde import NeuralSDE, NeuralSDESettings
from .state import State

__all__ = [
    "LEARNED",
    "TRIVIAL",
    "Learned",
    "NeuralODE",
    "NeuralODESettings",
    "NeuralSDE",
    "NeuralSDESettings",
    "Propagator",
    "State",
]

__getattr__ = names_of(__name__)
