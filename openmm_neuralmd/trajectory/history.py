"""The known snapshots that a forecast starts from, checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from openmm import unit
from scipy.spatial import cKDTree

from ..errors import InputError
from ..structure.complex import Complex
from ..units import to_angstrom
from .snapshots import Snapshots

_SAME_PLACE = 0.3  # Å


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
        Another shape, values that are not finite, another unit, or atoms in one place.
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
    if ligand.size:
        _check_bonds(ligand.reshape(-1, n, 3), complex)
    return ligand


def _check_bonds(ligand: np.ndarray, complex: Complex) -> None:
    """Check units, identity and order of the ligand's atoms by its bond lengths."""
    i, j = complex.site_bonds.T
    own = to_angstrom(complex.positions[complex.ligand_sites])
    expected = np.linalg.norm(own[i] - own[j], axis=-1)
    lengths = np.linalg.norm(ligand[:, i] - ligand[:, j], axis=-1)
    ratio = float(np.median(lengths / expected))
    if ratio < 0.5 or ratio > 2.0:
        nm = 0.05 < ratio < 0.2
        cause = (
            "they are in nm where Å is due; multiply by 10"
            if nm
            else "the atoms are not this ligand's, or in another order"
        )
        raise InputError(
            f"{complex.name}: the bonds of the known snapshots are {ratio:.2g} times as long as "
            f"the ligand's: {cause}"
        )
    present = ligand[-1]
    pairs = cKDTree(present).query_pairs(_SAME_PLACE, output_type="ndarray")
    if len(pairs):
        atoms = list(complex.topology.atoms())
        names = [atoms[complex.ligand_sites[k]].name for k in pairs[0]]
        raise InputError(
            f"{complex.name}: atoms {names[0]} and {names[1]} of the ligand lie in one place in "
            "the last known snapshot; mend it"
        )
