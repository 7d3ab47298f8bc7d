"""Dynamics of a ligand from snapshot to snapshot, one file each, and their registry."""

from __future__ import annotations

from ..former import names_of
from .naive import NAIVE
from .ode import NeuralODE, NeuralODESettings
from .registry import LEARNED, Dynamics
from .sde import NeuralSDE, NeuralSDESettings
from .state import State

__all__ = [
    "LEARNED",
    "NAIVE",
    "Dynamics",
    "NeuralODE",
    "NeuralODESettings",
    "NeuralSDE",
    "NeuralSDESettings",
    "State",
]

__getattr__ = names_of(__name__)
