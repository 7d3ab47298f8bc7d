"""Equivariance of a model: its output has to rotate and move with the complex."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from ...analysis.coordinates import Array
from ...model import Model
from ...rollouts import rollout
from ...structure.complex import Complex
from ...trajectory.history import History
from ...units import ANGSTROM_PER_NM
from .field import LigandField

MOTIONS = 4
"""Rotations, each with a translation, that an error is the largest of."""
SHIFT = 1.0
"""Standard deviation of a coordinate of a translation, nm."""


class Motion(NamedTuple):
    """A rigid motion x → R x + t of rows.

    Attributes
    ----------
    rotation : array (3, 3)
    shift : array (3,)
        nm.
    """

    rotation: Array
    shift: Array

    def turned(self, vectors: Array) -> Array:
        """Vectors (..., 3), rotated."""
        return vectors @ self.rotation.T

    def moved(self, positions: Array) -> Array:
        """Positions (..., 3) in nm, rotated and shifted."""
        return self.turned(positions) + self.shift


def motions(count: int = MOTIONS, seed: int = 0) -> Iterator[Motion]:
    """Uniformly drawn rotations with translations."""
    random = np.random.default_rng(seed)
    for rotation in Rotation.random(count, rng=random).as_matrix():
        yield Motion(rotation, SHIFT * random.normal(size=3))


def relative(found: Array, expected: Array) -> float:
    """Relative error ‖value − expected‖ / ‖expected‖."""
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def field_errors(model: Model, complex: Complex) -> tuple[float, float]:
    """Largest relative error of forces, and largest change of the energy in kJ/mol.

    The protein is encoded anew in each orientation.
    """
    here = LigandField(model, complex)
    energy, forces = here.evaluate(here.start)
    worst_force = worst_energy = 0.0
    for motion in motions():
        there = LigandField(model, complex.with_positions(motion.moved(complex.positions)))
        other_energy, other_forces = there.evaluate(there.start)
        worst_force = max(worst_force, relative(other_forces, motion.turned(forces)))
        worst_energy = max(worst_energy, abs(other_energy - energy))
    return worst_force, worst_energy


def forecast_error(model: Model, history: History, snapshots: int = 2) -> float:
    """Largest relative error of a forecast's displacement from the last known snapshot.

    Parameters
    ----------
    model : Model
        In double precision; one that jumps and draws no noise.
    history : History
        Known snapshots.
    snapshots : int
        Number of snapshots to forecast.
    """
    complex, known = history.complex, history.ligand
    way = rollout(model, complex, known, snapshots) - known[-1]
    worst = 0.0
    for motion in motions():
        other = complex.with_positions(motion.moved(complex.positions))
        moved = motion.turned(known) + ANGSTROM_PER_NM * motion.shift
        other_way = rollout(model, other, moved, snapshots) - moved[-1]
        worst = max(worst, relative(other_way, motion.turned(way)))
    return worst
