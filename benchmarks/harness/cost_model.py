"""A cost as a sum of sizes times coefficients, and what that sum is worth on a case left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """Coefficients of a cost, none of them negative.

    Attributes
    ----------
    coefficients : dict of str to float
        Cost of one unit of each size.
    left_out_median, left_out_greatest : float
        Relative error of the cost of a case that the fit did not see, each case left out in turn.
    """

    coefficients: dict[str, float]
    left_out_median: float
    left_out_greatest: float

    def at(self, sizes: Mapping[str, float]) -> float:
        """The cost of a case of these sizes."""
        return sum(value * sizes[name] for name, value in self.coefficients.items())

    def as_json(self) -> dict[str, Any]:
        """All attributes by name."""
        return asdict(self)


def fitted(sizes: Sequence[Mapping[str, float]], costs: Sequence[float]) -> CostModel:
    """Fit a cost model by non-negative least squares of the relative error.

    Parameters
    ----------
    sizes : sequence of mapping
        Sizes of each case by name, the same names in each.
    costs : sequence of float
        Positive; the relative error is what counts, so that small cases weigh as much as large.

    Raises
    ------
    ValueError
        There are fewer cases than one more than the coefficients.

    Examples
    --------
    >>> model = fitted([{"one": 1, "n": n} for n in (1, 2, 5)], [5.0, 7.0, 13.0])
    >>> {name: round(value, 6) for name, value in model.coefficients.items()}
    {'one': 3.0, 'n': 2.0}
    """
    names = list(sizes[0])
    if len(sizes) <= len(names):
        raise ValueError(f"{len(sizes)} cases say too little of {len(names)} coefficients")
    matrix = np.array([[case[name] for name in names] for case in sizes], dtype=np.float64)
    target = np.asarray(costs, dtype=np.float64)
    errors = []
    for k in range(len(target)):
        others = np.arange(len(target)) != k
        errors.append(abs(matrix[k] @ _solved(matrix[others], target[others]) / target[k] - 1.0))
    coefficients = dict(zip(names, _solved(matrix, target).tolist(), strict=True))
    return CostModel(coefficients, float(np.median(errors)), float(np.max(errors)))


def _solved(matrix: Array, target: Array) -> Array:
    relative = matrix / target[:, None]
    scale = np.abs(relative).max(axis=0)
    solution: Array = nnls(relative / scale, np.ones(len(target)))[0]
    return solution / scale
