"""Errors of predicted snapshots against the true ones, and the validity of their geometry.

Coordinates are (S, n, 3) in Å, heavy atoms of the ligand in the protein's frame (superposed on
the Cα atoms of the first snapshot); all arithmetic is in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .coordinates import Array, both, checked
from .fluctuation import WINDOW, rmsf_agreement
from .geometry import bond_angle_validity


def mae(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean absolute error over snapshots, atoms and coordinates, Å."""
    a, b = both(truth, prediction)
    return float(np.abs(b - a).mean())


def mae_xyz_sum(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Absolute error summed over x, y, z, as the published code reports its 'MAE', Å."""
    return 3.0 * mae(truth, prediction)


def rmse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Square root of the mean squared displacement of an atom, Å."""
    a, b = both(truth, prediction)
    return float(np.sqrt(np.square(b - a).sum(-1).mean()))


def mean_distance(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean displacement of an atom, as the published code reports its 'RMSE', Å."""
    a, b = both(truth, prediction)
    return float(np.linalg.norm(b - a, axis=-1).mean())


def pair_distances(x: ArrayLike) -> Array:
    """Distances of all pairs of atoms i < j, (S, n(n−1)/2), Å."""
    array = checked(x, atoms=2)
    first, second = np.triu_indices(array.shape[1], k=1)
    return np.linalg.norm(array[:, first] - array[:, second], axis=-1)


def matching_mse(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean squared error of the pair distances, Å² (the paper's text)."""
    a, b = both(truth, prediction, atoms=2)
    return float(np.square(pair_distances(b) - pair_distances(a)).mean())


def matching(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Root mean squared error of the pair distances, Å (the published code)."""
    return float(np.sqrt(matching_mse(truth, prediction)))


def stability(truth: ArrayLike, prediction: ArrayLike, tolerance: float = 0.5) -> float:
    """Percentage of pair distances within `tolerance` Å of the truth."""
    a, b = both(truth, prediction, atoms=2)
    deviation = np.abs(pair_distances(b) - pair_distances(a))
    return float(100.0 * (deviation <= tolerance).mean())


class Metric(NamedTuple):
    """A metric of a forecast.

    Attributes
    ----------
    measure : callable
        Truth and prediction (S, n, 3) in Å to a float.
    title : str
        Title of its column, with the unit; empty for a metric that tables do not show.
    decimals : int
        Decimals in tables.
    """

    measure: Callable[[Array, Array], float]
    title: str = ""
    decimals: int = 2


METRICS: dict[str, Metric] = {
    "mae": Metric(mae, "MAE, Å", 3),
    "mae_xyz_sum": Metric(mae_xyz_sum),
    "rmse": Metric(rmse, "RMSE, Å", 2),
    "mean_distance": Metric(mean_distance),
    "matching": Metric(matching, "Matching, Å", 2),
    "matching_mse": Metric(matching_mse),
    "stability": Metric(stability, "Stability, %", 1),
}
"""Metrics that need truth and prediction alone. A metric entered here is in every table."""


def error_columns() -> dict[str, tuple[str, int]]:
    """Title and decimals of each column of a table of forecasts, by the name of the metric.

    Examples
    --------
    >>> from openmm_neuralmd.analysis.metrics import error_columns
    >>> list(error_columns())
    ['mae', 'rmse', 'matching', 'stability', 'bond_angle_validity']
    """
    shown = {name: (m.title, m.decimals) for name, m in METRICS.items() if m.title}
    return {**shown, "bond_angle_validity": ("valid, %", 0)}


def metrics_table(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    bonds: ArrayLike | None = None,
    reference: ArrayLike | None = None,
) -> dict[str, float]:
    """Compute all metrics of a prediction, by the names that tables use.

    Parameters
    ----------
    truth, prediction : array (S, n, 3)
        The same snapshots of the same atoms, Å.
    bonds : array (b, 2), optional
        Bonds of the ligand.  With `reference` they give the validity.
    reference : array (T, n, 3), optional
        Known snapshots whose mean 1–2 and 1–3 distances are right, Å.

    Returns
    -------
    dict
        ``mae``, ``mae_xyz_sum``, ``rmse``, ``mean_distance``, ``matching`` in Å,
        ``matching_mse`` in Å², ``stability`` in %; from five snapshots on those of
        `rmsf_agreement`; ``bond_angle_validity`` in % with bonds and reference.
    """
    a, b = both(truth, prediction, atoms=2)
    table = {name: metric.measure(a, b) for name, metric in METRICS.items()}
    if len(a) >= WINDOW:
        table |= rmsf_agreement(a, b, WINDOW)
    if bonds is not None and reference is not None:
        table["bond_angle_validity"] = bond_angle_validity(b, bonds, reference)
    return table
