"""Forces without a network, that a learned force has to be better than.

All are slopes of an energy, and are fitted to labelled snapshots.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from openmm_neuralmd.training.labels import Labels
from openmm_neuralmd.units import NM_PER_ANGSTROM

Array = NDArray[np.float64]
Field = Callable[[Array], tuple[Array, Array]]
"""Geometries (S, n, 3) in Å to forces (S, n, 3) in kJ/mol/nm and energies (S,) in kJ/mol."""
RIDGE = 1e-3
"""Added to the variance of every direction, as a share of their mean.

Of 1e-5 to 1e-1, the one with the smallest error of forces on the snapshots that an energy model
stops early on (snapshots 680 to 800), summed over the three ligands of `validation/forces/`.
"""


def force_baselines(training: Labels, test: Labels) -> dict[str, tuple[Array, Array]]:
    """Forces and energies at the test's geometries, by name.

    Returns
    -------
    dict
        ``mean force`` (of each atom, in the frame of the protein); ``bonded terms`` (the ligand's
        own, which a residual model starts from: a network that says nothing); ``bonded terms, mean
        rest`` and ``bonded terms, linear rest``: with what they leave as a constant force, and as a
        quadratic energy about the mean geometry.
    """
    rest = training.without(training.terms)
    unexplained = test.without(test.terms)
    bonded = test.forces - unexplained.forces, test.energies - unexplained.energies
    baselines = {"mean force": mean_force(training)(test.x), "bonded terms": bonded}
    for name, field in (("mean", mean_force(rest)), ("linear", linear_force(rest))):
        forces, energies = field(test.x)
        baselines[f"bonded terms, {name} rest"] = bonded[0] + forces, bonded[1] + energies
    return baselines


def mean_force(labels: Labels) -> Field:
    """The mean force of each atom, wherever the ligand is."""
    mean, centre = labels.forces.mean(0), labels.x.mean(0)

    def field(x: Array) -> tuple[Array, Array]:
        moved = NM_PER_ANGSTROM * (x - centre)
        return np.broadcast_to(mean, x.shape), -(moved * mean).sum((1, 2))

    return field


def linear_force(labels: Labels) -> Field:
    """F = f₀ − H (x − x̄) with a symmetric H (3n, 3n), by ridge regression.

    With the covariance C of geometries and the cross-covariance A of geometries and forces, the
    best symmetric H solves C H + H C = −(A + Aᵀ): elementwise where C is diagonal.
    """
    count = len(labels)
    centre, forces = labels.x.mean(0), labels.forces.reshape(count, -1)
    moved = (labels.x - centre).reshape(count, -1)
    mean = forces.mean(0)
    variance, axes = np.linalg.eigh(moved.T @ moved / count)
    variance = variance + RIDGE * variance.mean()
    cross = axes.T @ (moved.T @ (forces - mean) / count) @ axes
    hessian = axes @ (-(cross + cross.T) / np.add.outer(variance, variance)) @ axes.T

    def field(x: Array) -> tuple[Array, Array]:
        step = (x - centre).reshape(len(x), -1)
        pull = step @ hessian
        energy = NM_PER_ANGSTROM * (0.5 * (pull * step).sum(1) - step @ mean)
        return (mean - pull).reshape(x.shape), energy

    return field
