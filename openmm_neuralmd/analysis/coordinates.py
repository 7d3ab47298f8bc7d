"""Checks of coordinates, made once where the analysis begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

Array = NDArray[np.float64]


def checked(x: ArrayLike, name: str = "snapshots", atoms: int = 1) -> Array:
    """Check coordinates, and return them as float64 (S, n, 3).

    Raises
    ------
    InputError
        If the shape is not (S ≥ 1, n ≥ `atoms`, 3) or a coordinate is not finite.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim != 3 or array.shape[-1] != 3 or array.shape[0] < 1:
        raise InputError(f"{name} has shape {array.shape}: expected (snapshots ≥ 1, atoms, 3), Å.")
    if array.shape[1] < atoms:
        raise InputError(f"{name} has {array.shape[1]} atom(s): at least {atoms} are needed here.")
    if not np.isfinite(array).all():
        snapshot, atom = np.argwhere(~np.isfinite(array))[0][:2]
        raise InputError(
            f"{name} is not finite at snapshot {snapshot}, atom {atom}: remove the snapshot or "
            "find where the run broke."
        )
    return array


def both(truth: ArrayLike, prediction: ArrayLike, atoms: int = 1) -> tuple[Array, Array]:
    """Check truth and prediction as by `checked`; both have one shape."""
    a = checked(truth, "truth", atoms)
    b = checked(prediction, "prediction", atoms)
    if a.shape != b.shape:
        raise InputError(
            f"truth has shape {a.shape} and prediction {b.shape}: compare the same snapshots of "
            "the same atoms."
        )
    return a, b
