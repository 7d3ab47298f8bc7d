"""Errors a user can act on: one line that says what is wrong, where, and what to do."""

from __future__ import annotations


class NeuralMDError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(NeuralMDError):
    """A file, structure or argument cannot be used as given."""


class ModelError(NeuralMDError):
    """A model does not fit what it is asked to do (stride, elements, version, damaged file)."""


class SimulationError(NeuralMDError):
    """A run cannot go on: not-a-number, or the ligand left the region the model knows."""
