"""Whether a predicted snapshot is a molecule: bonds and angles in place, no atoms inside others."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..structure.pairs import bonded_pairs, checked_bonds
from .coordinates import Array, checked


def covalent_radii(atomic_numbers: ArrayLike) -> Array:
    """Covalent radii (n,) in Å from RDKit's periodic table."""
    from rdkit.Chem import GetPeriodicTable

    table = GetPeriodicTable()
    return np.array([table.GetRcovalent(int(z)) for z in np.asarray(atomic_numbers)])


def bond_angle_validity(
    x: ArrayLike, bonds: ArrayLike, reference: ArrayLike, tolerance: float = 0.25
) -> float:
    """Percentage of snapshots whose bond lengths and angles are all near their reference.

    A bond angle is judged by its 1–3 distance.

    Parameters
    ----------
    x : array (S, n, 3)
        Snapshots to judge, Å.
    bonds : array (b, 2)
        Bonds between the n atoms.
    reference : array (T, n, 3)
        Snapshots known to be right, Å; the means of their 1–2 and 1–3 distances count.
    tolerance : float
        Largest relative deviation; PoseBusters' 25 % by default.
    """
    snapshots, right = checked(x), checked(reference, "reference")
    n = snapshots.shape[1]
    if right.shape[1] != n:
        raise InputError(f"reference has {right.shape[1]} atoms, the snapshots {n}.")
    first, second = bonded_pairs(bonds, n).T
    lengths = np.linalg.norm(right[:, first] - right[:, second], axis=-1).mean(0)
    distances = np.linalg.norm(snapshots[:, first] - snapshots[:, second], axis=-1)
    valid = (np.abs(distances - lengths) <= tolerance * lengths).all(-1)
    return float(100.0 * valid.mean())


def collisions(
    x: ArrayLike,
    bonds: ArrayLike,
    radii: ArrayLike,
    protein: ArrayLike | None = None,
    protein_radii: ArrayLike | None = None,
) -> float:
    """Percentage of pairs of atoms that are closer than the sum of their covalent radii.

    Counted are all ligand–ligand pairs that are not bonded and all ligand–protein pairs.  The
    figure falls with the size of the protein that is passed: compare like with like.

    Parameters
    ----------
    x : array (S, n, 3)
        Snapshots of the ligand, Å.
    bonds : array (b, 2)
        Bonds between the n atoms.
    radii : array (n,)
        Covalent radii, Å, see `covalent_radii`.
    protein : array (P, 3) or (S, P, 3), optional
        Protein atoms in the same frame, Å; rigid or one set for each snapshot.
    protein_radii : array (P,), optional
        Their covalent radii, Å; needed with `protein`.
    """
    snapshots = checked(x)
    n = snapshots.shape[1]
    radius = _checked_radii(radii, n, "radii")
    free = np.triu(np.ones((n, n), dtype=bool), k=1)
    bonded = np.sort(checked_bonds(bonds, n), axis=1)
    free[bonded[:, 0], bonded[:, 1]] = False
    first, second = np.nonzero(free)
    distances = np.linalg.norm(snapshots[:, first] - snapshots[:, second], axis=-1)
    close, pairs = int((distances < radius[first] + radius[second]).sum()), distances.size
    if protein is not None:
        moving = _protein_snapshots(protein, len(snapshots))
        other = _checked_radii(protein_radii, moving.shape[1], "protein_radii")
        reach = radius[:, None] + other
        for ligand, around in zip(snapshots, moving, strict=True):
            close += int((np.linalg.norm(ligand[:, None] - around, axis=-1) < reach).sum())
            pairs += reach.size
    if pairs == 0:
        raise InputError("There is no pair of atoms that could collide: all are bonded.")
    return 100.0 * close / pairs


def _protein_snapshots(protein: ArrayLike, snapshots: int) -> Array:
    """Protein atoms of every snapshot, (S, P, 3), from a rigid (P, 3) or a moving protein."""
    array = np.asarray(protein, dtype=np.float64)
    atoms = checked(array if array.ndim == 3 else array[None], "protein")
    if len(atoms) not in (1, snapshots):
        raise InputError(
            f"protein has {len(atoms)} snapshots and the ligand {snapshots}: pass one protein, or "
            "one for each snapshot."
        )
    return np.broadcast_to(atoms, (snapshots, *atoms.shape[1:]))


def _checked_radii(radii: ArrayLike | None, n: int, name: str) -> Array:
    array = np.asarray([] if radii is None else radii, dtype=np.float64)
    if array.shape != (n,) or not (array > 0).all():
        raise InputError(f"{name} must be {n} positive numbers in Å, one an atom.")
    return array
