"""Every atom's position from the ligand's heavy atoms: hydrogens follow, the protein stays."""

from __future__ import annotations

import numpy as np

from ..units import to_nm
from .complex import Complex
from .imaging import superpose


def full_positions(complex: Complex, ligand: np.ndarray) -> np.ndarray:
    """Positions of all atoms, (T, N, 3) nm, for ligand heavy atoms (T, n, 3) in Å.

    Everything but the ligand stays where `complex.positions` has it.  A hydrogen keeps its place
    relative to its heavy atom and that atom's neighbours, which are moved as a rigid body.
    """
    heavy = to_nm(np.asarray(ligand, dtype=np.float64))
    positions = np.repeat(complex.positions[None], len(heavy), axis=0)
    positions[:, complex.ligand_sites] = heavy
    reference = complex.positions[complex.ligand_sites]
    for parent, hydrogens in _hydrogens_of(complex).items():
        around = _neighbourhood(complex.site_bonds, parent)
        rotation, _ = superpose(heavy[:, around], reference[around])
        arm = complex.positions[hydrogens] - reference[parent]
        # x @ rotation carries the snapshot to the reference; its transpose carries back
        positions[:, hydrogens] = heavy[:, [parent]] + np.einsum("hj,tij->thi", arm, rotation)
    return positions


def _hydrogens_of(complex: Complex) -> dict[int, list[int]]:
    """Parent, local to the heavy atoms, to the particle indices of its hydrogens."""
    place = {int(i): k for k, i in enumerate(complex.sites)}
    hydrogens: dict[int, list[int]] = {}
    for bond in complex.ligand_bonds.tolist():
        for parent, hydrogen in (bond, bond[::-1]):
            if parent in place and hydrogen not in place:
                hydrogens.setdefault(place[parent], []).append(int(complex.ligand[hydrogen]))
    return hydrogens


def _neighbourhood(bonds: np.ndarray, atom: int) -> list[int]:
    """The atom and the heavy atoms around it, out to as many bonds as give three."""
    around = {atom}
    while len(around) < 3:
        near = bonds[np.isin(bonds, list(around)).any(axis=1)]
        around |= set(near.ravel().tolist())
    return sorted(around)
