"""Springs of the residues around a ligand, at the given structure.

The residues have the springs of a ligand, pairs up to `PAIRS` apart included; everything else, the
ligand among it, acts on them by contacts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..bindingnet.side_chains import SideChains
from ..bindingnet.structure import Structure, structure
from ..bindingnet.vector_frames import length
from .internal_coordinates import internal_coordinates
from .springs import Springs, assembled

BONDED = 2.6
"""Å; nearer pairs of heavy atoms are bonded or share a neighbour, and are no contacts."""
PAIRS = 6.0
"""Å; farther pairs of moving atoms have no spring."""


class SideChainSprings(NamedTuple):
    """Springs of m atoms of side chains.

    Attributes
    ----------
    springs : Springs
    ligand : Tensor (C,), int64
        Atom of the ligand that a contact is with; −1: an atom of the protein.
    ligand_size : int
        Heavy atoms of the ligand, n.
    """

    springs: Springs
    ligand: Tensor
    ligand_size: int

    def coupling(self, contact: Tensor) -> Tensor:
        """Force constants (3m, 3n) between side chains and ligand, kT/Å².

        Displacements d of the ligand's atoms pull the side chains by this matrix times d.

        Parameters
        ----------
        contact : Tensor (C,)
            Stiffness of each contact.
        """
        rows = torch.nonzero(self.ligand >= 0).flatten()
        own, other = self.springs.structure.contacts[0][rows], self.ligand[rows]
        e = self.springs.directions[rows]
        blocks = contact[rows, None, None] * e.unsqueeze(-1) * e.unsqueeze(-2)
        m, n = self.springs.size, self.ligand_size
        flat = torch.zeros(m * n, 3, 3, dtype=contact.dtype).index_add(0, own * n + other, blocks)
        return flat.reshape(m, n, 3, 3).transpose(1, 2).reshape(3 * m, 3 * n)


def side_chain_springs(side: SideChains, dtype: torch.dtype = torch.float64) -> SideChainSprings:
    """Springs of the side chains of a structure."""
    tensors = _contacts(structure(side.chemistry, side.start, side.surroundings, dtype))
    other = tensors.contacts[1] - side.protein
    return SideChainSprings(
        assembled(internal_coordinates(side.chemistry, side.start, PAIRS), tensors, dtype),
        torch.where(other >= 0, other, -1),
        len(side.surroundings.atoms) - side.protein,
    )


def _contacts(tensors: Structure) -> Structure:
    """The structure with bonded pairs left out of the contacts."""
    apart = length(tensors.contact_vectors) > BONDED
    return tensors._replace(
        contacts=tensors.contacts[:, apart],
        contact_vectors=tensors.contact_vectors[apart],
        contact_features=tensors.contact_features[apart],
    )
