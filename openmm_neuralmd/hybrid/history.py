"""The snapshots a jump starts from: the ligand in the frame of the protein, one every Δ."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..structure.complex import Complex
from ..structure.hydrogens import full_positions
from ..structure.imaging import superpose
from ..structure.parts import whole_molecules
from ..units import to_angstrom, to_nm

LONGEST = 256
"""Snapshots that are kept."""


class RunHistory:
    """Known snapshots of a ligand whose protein moves about.

    Parameters
    ----------
    complex : Complex
        The protein at the positions that the model knows it in.
    known : (T, n, 3) float64, Å
        Heavy atoms of the ligand, Cα superposed on the complex; may be empty.
    """

    def __init__(self, complex: Complex, known: np.ndarray) -> None:
        self.complex = complex
        self.known = np.asarray(known, dtype=np.float64)

    def observe(self, positions: np.ndarray, box: np.ndarray | None) -> None:
        """Take the present positions (N, 3) in nm as the next snapshot."""
        ligand = self.seen(self.complex.ligand_sites, self.whole(positions, box))
        self.known = np.concatenate([self.known, ligand[None]])[-LONGEST:]

    def whole(self, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
        """Positions with protein and ligand in one piece and in one image."""
        if box is None:
            return positions
        complex = self.complex
        return whole_molecules(complex.topology, positions, complex.backbone, complex.ligand, box)

    def seen(self, atoms: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Atoms (k,) of positions (N, 3) in nm as the model has them: (k, 3) in Å, in its frame."""
        rotation, translation = self._frame(whole)
        return to_angstrom(whole[atoms] @ rotation + translation)

    def placed(
        self,
        ligand: np.ndarray,
        whole: np.ndarray,
        others: Iterable[tuple[np.ndarray, np.ndarray]] = (),
    ) -> np.ndarray:
        """All atoms (N, 3) in nm with the ligand's heavy atoms (n, 3), given in Å, in their place.

        The protein stays where `whole` has it, the ligand is put into its frame, and its hydrogens
        go with their heavy atoms.  So are `others`, pairs of atoms (k,) and their places (k, 3).
        """
        rotation, translation = self._frame(whole)
        present = self.complex.with_positions(whole)
        here = (to_nm(ligand) - translation) @ rotation.T
        positions = full_positions(present, to_angstrom(here)[None])[0]
        for atoms, places in others:
            positions[atoms] = (to_nm(places) - translation) @ rotation.T
        return positions

    def _frame(self, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rotation and translation (nm) into the model's frame."""
        alpha = self.complex.backbone[:, 1]
        rotation, translation = superpose(whole[alpha][None], self.complex.positions[alpha])
        return rotation[0], translation[0]
