"""One protein–ligand structure as the tensors that the one-structure network reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .chemistry import BOND_FEATURES, FARTHEST, LigandChemistry
from .pocket import PocketAtoms

LIGAND_CUTOFF = 6.0
"""Å, between ligand atoms."""
POCKET_CUTOFF = 8.0
"""Å, between a ligand atom and a heavy atom of the pocket."""
LIGAND_EDGE_FEATURES = FARTHEST + BOND_FEATURES
CONTACT_FEATURES = 4


class Structure(NamedTuple):
    """Ligand of n heavy atoms, pocket of p heavy atoms, and the pairs between them.

    Attributes
    ----------
    x : Tensor (n, 3)
        Å.
    atoms : Tensor (n, ATOM_FEATURES)
    pocket : Tensor (p, POCKET_FEATURES)
    edges : Tensor (2, E), int64
        Receiving and sending ligand atom.
    edge_vectors : Tensor (E, 3)
        x_receiver − x_sender, Å.
    edge_features : Tensor (E, LIGAND_EDGE_FEATURES)
        Graph distance (one column per value), bond (see `chemistry`; zero where there is none).
    contacts : Tensor (2, C), int64
        Ligand atom and pocket atom within `POCKET_CUTOFF`.
    contact_vectors : Tensor (C, 3)
        From pocket to ligand, Å.
    contact_features : Tensor (C, CONTACT_FEATURES)
        Hydrogen bond possible, both carbon, opposite charges, like charges.
    """

    x: Tensor
    atoms: Tensor
    pocket: Tensor
    edges: Tensor
    edge_vectors: Tensor
    edge_features: Tensor
    contacts: Tensor
    contact_vectors: Tensor
    contact_features: Tensor


def structure(
    chemistry: LigandChemistry,
    x: ArrayLike,
    pocket: PocketAtoms,
    dtype: torch.dtype = torch.float64,
) -> Structure:
    """Tensors of a ligand with heavy atoms at x (n, 3) Å in its pocket."""
    positions = np.asarray(x, dtype=np.float64)
    distances = np.linalg.norm(positions[:, None] - positions, axis=-1)
    near = (distances < LIGAND_CUTOFF) & ~np.eye(len(positions), dtype=bool)
    edges = np.argwhere(near).T
    apart = positions[:, None] - pocket.positions
    contacts = np.argwhere(np.linalg.norm(apart, axis=-1) < POCKET_CUTOFF).T

    def tensor(array: ArrayLike) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype)

    return Structure(
        x=tensor(positions),
        atoms=tensor(chemistry.features),
        pocket=tensor(pocket.features),
        edges=torch.as_tensor(np.ascontiguousarray(edges)),
        edge_vectors=tensor(positions[edges[0]] - positions[edges[1]]),
        edge_features=tensor(_edge_features(chemistry, edges)),
        contacts=torch.as_tensor(np.ascontiguousarray(contacts)),
        contact_vectors=tensor(apart[contacts[0], contacts[1]]),
        contact_features=tensor(_contact_features(chemistry, pocket, contacts)),
    )


def _edge_features(chemistry: LigandChemistry, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    table = np.zeros((*chemistry.distances.shape, BOND_FEATURES))
    for (i, j), features in zip(chemistry.bonds, chemistry.bond_features):
        table[i, j] = table[j, i] = features
    steps = chemistry.distances[edges[0], edges[1]]
    apart = np.eye(FARTHEST)[np.clip(steps, 1, FARTHEST) - 1]
    return np.concatenate((apart, table[edges[0], edges[1]]), axis=1)


def _contact_features(
    chemistry: LigandChemistry, pocket: PocketAtoms, contacts: NDArray[np.int64]
) -> NDArray[np.float64]:
    i, p = contacts
    bond = chemistry.donor[i] & pocket.acceptor[p] | chemistry.acceptor[i] & pocket.donor[p]
    carbon = (chemistry.features[i, 0] > 0) & (pocket.features[p, 0] > 0)
    product = chemistry.charge[i] * (pocket.features[p, -3] - pocket.features[p, -2])
    columns = (bond, carbon, np.clip(-product, 0.0, None), np.clip(product, 0.0, None))
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
