"""The network's input from particle positions in nm: whole, in one image, centred, in Å."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..bindingnet.neighbours import sum_rows
from ..bindingnet.pocket import ComplexPocket
from ..bindingnet.vector_frames import (
    KeptFrames,
    frame_atoms,
    keep_residue_frames,
    residue_frames_pullback,
)
from ..errors import InputError
from ..structure.complex import Complex
from ..structure.imaging import spanning_tree
from ..units import ANGSTROM_PER_NM


def box_shift(v: Tensor, box: Tensor) -> Tensor:
    """Whole number of box vectors (rows of `box`) that brings vectors (..., 3) nearest to zero."""
    return torch.matmul(torch.round(torch.matmul(v, torch.linalg.inv(box))), box)


class PocketGeometry(nn.Module):
    """Ligand coordinates, Cα and residue frames from the positions of the particles that matter.

    Those particles are the ligand's `sites`, every Cα, and N and C of residues without a
    neighbour in their chain: the frames need no more; and the pocket atoms of a network with the
    fourth grain.  Cα, pocket atoms and frames follow the present positions, so a drifting or
    flexible protein is followed.  No residue is left out beforehand: a fixed choice would be wrong
    once the ligand moves, and all 302 residues of a GPCR cost 0.3 ms, of 3 ms (small network) or
    11 ms (default) on one core.

    Parameters
    ----------
    complex : Complex
    pocket : ComplexPocket, optional
        Of a network with the fourth grain.
    dtype : torch.dtype
        Of the network.  Geometry itself is done in double, and coordinates are centred on the
        ligand before they are rounded: the error does not grow with the distance to the origin.
    """

    if TYPE_CHECKING:  # TorchScript does not read postponed annotations
        alpha: Tensor
        frame: Tensor
        isolated: Tensor
        residues: Tensor
        places: Tensor
        starts: Tensor
        ends: Tensor
        paths: Tensor

    def __init__(
        self, complex: Complex, dtype: torch.dtype, pocket: ComplexPocket | None = None
    ) -> None:
        super().__init__()
        atoms, isolated = frame_atoms(torch.as_tensor(complex.linked, dtype=torch.bool))
        frame = complex.backbone.reshape(-1)[atoms.numpy()].reshape(-1, 3)
        alpha, residues = complex.backbone[:, 1], np.arange(len(complex.backbone))
        if pocket is not None:
            alpha = np.concatenate([alpha, pocket.near.atoms])
            residues = np.concatenate([residues, pocket.residues])
        protein = np.unique(np.concatenate([alpha, frame.ravel()]))
        self.n = len(complex.ligand_sites)
        self.dtype = dtype
        self.scale = ANGSTROM_PER_NM
        self.particles = np.concatenate([complex.ligand_sites, protein]).astype(np.int64)
        self.register_buffer("alpha", torch.as_tensor(self.n + np.searchsorted(protein, alpha)))
        self.register_buffer("frame", torch.as_tensor(self.n + np.searchsorted(protein, frame)))
        self.register_buffer("isolated", isolated.unsqueeze(0))
        self.register_buffer("residues", torch.as_tensor(residues))
        places = torch.cat((torch.arange(self.n), self.alpha, self.frame.flatten()))
        self.register_buffer("places", places)
        self.count = len(self.particles)
        tree = spanning_tree(complex.positions[complex.ligand_sites], None)
        self.register_buffer("starts", torch.as_tensor(tree[:, 0]))
        self.register_buffer("ends", torch.as_tensor(tree[:, 1]))
        self.register_buffer("paths", torch.as_tensor(path_matrix(tree, self.n)))

    def forward(self, points: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Ligand (1, n, 3) Å, Cα and pocket atoms (1, R + p, 3) Å, their frames (1, R + p, 3, 3).

        Parameters
        ----------
        points : Tensor (P, 3), float64, nm
            Positions of `particles`; differentiable.
        box : Tensor (3, 3), float64, nm, or None
            Periodic box vectors in rows.  The ligand is made whole along the shortest tree through
            its atoms, Cα taken in the image nearest to the ligand, frames in that of their Cα.
        """
        x, ca, frames, _ = self.keep(points, box)
        return x, ca, frames

    def keep(self, points: Tensor, box: Tensor | None) -> tuple[Tensor, Tensor, Tensor, KeptFrames]:
        """See `forward`; the last is for `pullback`."""
        ligand, alpha, frame = points[: self.n], points[self.alpha], points[self.frame]
        if box is not None:
            cut = box_shift(ligand[self.ends] - ligand[self.starts], box)
            ligand = ligand - torch.matmul(self.paths, cut)
        centre = ligand.detach().mean(0)
        if box is not None:
            alpha = alpha - box_shift(alpha - centre, box)
            here = alpha[: len(frame)].unsqueeze(1)
            frame = frame - box_shift(frame - here, box)
        x = self.network_units(ligand - centre).unsqueeze(0)
        ca = self.network_units(alpha - centre).unsqueeze(0)
        corners = self.network_units(frame - centre).unsqueeze(0)
        frames, stored = keep_residue_frames(corners, self.isolated)
        return x, ca, frames[:, self.residues], stored

    def pullback(self, g_x: Tensor, g_ca: Tensor, g_frames: Tensor, stored: KeptFrames) -> Tensor:
        """Derivative (P, 3), float64, by the points, if a shift of all changes nothing."""
        own = sum_rows(g_frames[0], self.residues, len(self.frame)).unsqueeze(0)
        corners = residue_frames_pullback(own, self.isolated, stored)
        places = torch.cat((g_x[0], g_ca[0], corners[0].flatten(0, 1))).to(torch.float64)
        return sum_rows(places * self.scale, self.places, self.count)

    def network_units(self, v: Tensor) -> Tensor:
        """Vectors in nm as Å in the network's precision."""
        return (v * self.scale).to(self.dtype)


def path_matrix(tree: np.ndarray, n: int) -> np.ndarray:
    """Path matrix (n, n − 1) of a tree over n atoms: 1 for each edge between an atom and atom 0."""
    paths = np.zeros((n, len(tree)))
    for edge, (parent, child) in enumerate(tree):
        paths[child] = paths[parent]
        paths[child, edge] = 1.0
    return paths


def check_box(complex: Complex, cutoff: float) -> None:
    """Refuse a box in which a residue could reach the ligand from two sides.

    Parameters
    ----------
    cutoff : float
        Ligand atom to Cα, Å.
    """
    if complex.box is None:
        return
    ligand = complex.positions[complex.ligand_sites]
    radius = np.linalg.norm(ligand - ligand.mean(axis=0), axis=1).max()
    # Widths of the cell: distances between its opposite faces.
    width = 1.0 / np.linalg.norm(np.linalg.inv(complex.box), axis=0).max()
    needed = 2.0 * (radius + cutoff / ANGSTROM_PER_NM)
    if width < needed:
        raise InputError(
            f"{complex.name}: the periodic box is {width:.2f} nm wide, but ligand and cutoff need "
            f"{needed:.2f} nm; use a larger box, or a structure without a box"
        )
