"""Pairs of atoms that keep their distance: bonded, or sharing a bonded neighbour."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError


def bonded_pairs(bonds: ArrayLike, n: int) -> NDArray[np.int64]:
    """Pairs of atoms that are bonded (1–2) or share a bonded neighbour (1–3).

    Parameters
    ----------
    bonds : array (b, 2)
        Bonds between atoms 0 … n−1, in any order.
    n : int
        Number of atoms.

    Returns
    -------
    array (p, 2), int64
        Each pair once, i < j, sorted.

    Raises
    ------
    InputError
        If a bond names an atom that does not exist, or an atom bonded to itself.
    """
    bonds = checked_bonds(bonds, n)
    adjacent = np.zeros((n, n), dtype=np.int64)
    adjacent[bonds[:, 0], bonds[:, 1]] = adjacent[bonds[:, 1], bonds[:, 0]] = 1
    return np.argwhere(np.triu(adjacent + adjacent @ adjacent, k=1) > 0)


def checked_bonds(bonds: ArrayLike, n: int) -> NDArray[np.int64]:
    """Bonds (b, 2) as an array, or an InputError if they do not fit n atoms."""
    array = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
    if array.size and (array.min() < 0 or array.max() >= n):
        raise InputError(
            f"Bonds name atoms {array.min()} to {array.max()}, but the molecule's atoms are 0 to "
            f"{n - 1}: pass bonds in the molecule's own numbering."
        )
    if (array[:, 0] == array[:, 1]).any():
        raise InputError("A bond joins an atom to itself: remove it from the list of bonds.")
    return array
