"""The snapshots a jump starts from: the ligand in the frame of the protein, one every Δ."""

from __future__ import annotations

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
        ligand, *_ = self._seen(self.whole(positions, box))
        self.known = np.concatenate([self.known, ligand[None]])[-LONGEST:]

    def whole(self, positions: np.ndarray, box: np.ndarray | None) -> np.ndarray:
        """Positions with protein and ligand in one piece and in one image."""
        if box is None:
            return positions
        complex = self.complex
        return whole_molecules(complex.topology, positions, complex.backbone, complex.ligand, box)

    def placed(self, ligand: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """All atoms (N, 3) in nm with the ligand's heavy atoms (n, 3), given in Å, in their place.

        The protein stays where `whole` has it, the ligand is put into its frame, and its hydrogens
        go with their heavy atoms.
        """
        _, rotation, translation = self._seen(whole)
        here = (to_nm(ligand) - translation) @ rotation.T
        present = self.complex.with_positions(whole)
        return full_positions(present, to_angstrom(here)[None])[0]

    def _seen(self, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ligand in Å in the model's frame, and the rotation and translation (nm) into it."""
        alpha = self.complex.backbone[:, 1]
        rotation, translation = superpose(whole[alpha][None], self.complex.positions[alpha])
        ligand = whole[self.complex.ligand_sites] @ rotation[0] + translation[0]
        return to_angstrom(ligand), rotation[0], translation[0]
