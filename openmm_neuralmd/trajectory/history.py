"""The known snapshots that a forecast starts from, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from openmm import unit

from ..errors import InputError
from ..structure.complex import Complex
from ..units import to_angstrom
from .snapshots import Snapshots


@dataclass(frozen=True, eq=False)
class History:
    """Known snapshots of a ligand, without a replica break, the present one last.

    Make one with `of`, which checks them; the constructor does not.

    Attributes
    ----------
    complex : Complex
        The rigid protein, and which ligand atoms the model sees.
    ligand : (T, n, 3) float64, Å
        Atoms in the order of `complex.ligand_sites`, superposed on the complex.  T is 0 for a model
        that starts from the complex's own structure, without any known snapshot.

    Examples
    --------
    >>> from openmm_neuralmd import example
    >>> from openmm_neuralmd.trajectory.history import History
    >>> snapshots = example("gpcr-ergotamine")
    >>> len(History.of(snapshots[:30], snapshots.complex))
    30
    >>> len(History.of(None, snapshots.complex))
    1
    """

    complex: Complex
    ligand: np.ndarray

    def __len__(self) -> int:
        return len(self.ligand)

    @classmethod
    def of(cls, known: Known, complex: Complex, least: int = 1) -> History:
        """Check what a caller knows of a complex.

        Parameters
        ----------
        known : History, Snapshots, Quantity or array (T, n, 3) in Å, or None
            Of Snapshots with several replicas the last one counts: nothing crosses a break.  None
            is the structure alone.
        complex : Complex
        least : int
            Snapshots that the model needs at least (`Dynamics.least_known`); None has so many.

        Raises
        ------
        InputError
            The shape is not that of the ligand, or values are not finite.
        """
        if isinstance(known, History) and known.complex is complex:
            return known
        ligand: Any = known
        if known is None:
            ligand = to_angstrom(complex.positions[complex.ligand_sites])[None][:least]
        elif isinstance(known, History):
            ligand = known.ligand
        elif isinstance(known, Snapshots):
            ligand = known.ligand[known.segments[-1].start :]
        elif unit.is_quantity(known):
            ligand = ligand.value_in_unit(unit.angstrom)
        array = np.asarray(ligand, dtype=np.float64)
        return cls(complex, checked(array, complex, least=least))


Known = History | Snapshots | np.ndarray | None
"""What public functions take as known snapshots (an array may be a Quantity, too)."""


def checked(
    ligand: np.ndarray, complex: Complex, dimensions: tuple[int, ...] = (3,), least: int = 1
) -> np.ndarray:
    """Check known snapshots (T, n, 3) or (replicas, T, n, 3) in Å, and return them.

    Parameters
    ----------
    dimensions : tuple of int
        Numbers of dimensions that are accepted: 3 for one history, 4 for one of each replica.
    least : int
        Snapshots that are needed at least.

    Raises
    ------
    InputError
        Another shape, or values that are not finite.
    """
    n = len(complex.ligand_sites)
    shape = ligand.shape
    fits = ligand.ndim in dimensions and shape[-2:] == (n, 3) and 0 not in shape[:-3]
    if not fits or shape[-3] < least:
        raise InputError(
            f"{complex.name}: known snapshots have shape {shape}, expected (T, {n}, 3) or "
            f"(replicas, T, {n}, 3) with T >= {least}: ligand atoms that the model knows, Å"
        )
    if not np.isfinite(ligand).all():
        raise InputError(f"{complex.name}: known snapshots contain coordinates that are not finite")
    return ligand
