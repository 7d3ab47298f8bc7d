"""How wrong predicted forces and energies are, geometry by geometry."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.errors import InputError

SHORTEST = 1e-9
"""kJ/mol/nm; a shorter force has no direction, and a cosine of 0."""


def force_errors(
    truth: ArrayLike, energies: ArrayLike, forces: ArrayLike, predicted: ArrayLike
) -> dict[str, Array]:
    """Errors (S,) of each geometry; their means are what tables have.

    Parameters
    ----------
    truth, forces : array (S, n, 3)
        All-atom and predicted forces, kJ/mol/nm.
    energies, predicted : array (S,)
        All-atom and predicted energies, kJ/mol, each up to a constant: both are taken less their
        means.

    Returns
    -------
    dict
        ``mae`` (mean over atoms and coordinates, kJ/mol/nm), ``square`` (mean squared error of a
        coordinate: its mean is the square of the RMSE), ``cosine`` (mean over atoms of the cosine
        between the two forces), ``energy`` (absolute error, kJ/mol).
    """
    true, ours = (np.asarray(f, dtype=np.float64) for f in (truth, forces))
    if true.ndim != 3 or true.shape != ours.shape or not len(true):
        raise InputError(f"forces of shapes {true.shape} and {ours.shape} cannot be compared")
    error = ours - true
    lengths = np.linalg.norm(ours, axis=-1) * np.linalg.norm(true, axis=-1)
    products = (ours * true).sum(-1)
    e, p = (np.asarray(values, dtype=np.float64) for values in (energies, predicted))
    return {
        "mae": np.abs(error).mean((1, 2)),
        "square": np.square(error).mean((1, 2)),
        "cosine": (products / np.maximum(lengths, SHORTEST**2)).mean(1),
        "energy": np.abs((p - p.mean()) - (e - e.mean())),
    }
