"""Springs of a ligand in its pocket: their gradients, classes and the stiffness they add up to.

H = Σ_c k_c g_c g_cᵀ over the ligand's internal coordinates, its contacts with the pocket's heavy
atoms, and one isotropic spring per atom that keeps H positive definite.  Units: kT/Å².
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..bindingnet.chemistry import LigandChemistry
from ..bindingnet.pocket import PocketAtoms
from ..bindingnet.radial import envelope
from ..bindingnet.structure import POCKET_CUTOFF, Structure, structure
from ..bindingnet.vector_frames import length
from .internal_coordinates import CLASSES, InternalCoordinates, internal_coordinates
from .strain import strain_relief

POLAR_NODES = (2.9, 3.4, 4.2)
OTHER_NODES = (3.4, 4.0, 4.8, 6.0)
"""Å; ln k of a contact is interpolated between the class constants at these distances."""
DENSE = 64
"""Atoms up to which products of dense matrices are faster than those of sparse ones."""
CLASS_NAMES = (
    *CLASSES,
    *(f"polar contact {d:g} Å" for d in POLAR_NODES),
    *(f"contact {d:g} Å" for d in OTHER_NODES),
    "anchor",
)
"""Every class constant."""
START = (25.0, 32.0, 76.0, 53.0, 31.0, 11.0, 2.0, 3.2, 9.0, 0.1, 0.05) + (
    4.0, 1.0, 0.1, 0.2, 0.2, 0.1, 0.02, 0.02,
)  # fmt: skip
"""Class constants before they are fitted, kT/Å² or kT/rad²."""


class Springs(NamedTuple):
    """Springs of one complex at one pose; nothing in here depends on a weight.

    Attributes
    ----------
    structure : Structure
    kind : Tensor (c,), int64
        Class of each internal coordinate.
    atoms : Tensor (c, 4), int64
    gradients : Tensor (c, 3n)
    transposed : Tensor (3n, c)
        The same, sparse beyond `DENSE` atoms: a coordinate has four atoms at most.
    weights : Tensor (c,)
    values : Tensor (c,)
    contact_classes : Tensor (C, classes)
        Share of each class constant in ln k of a contact.
    contact_weights : Tensor (C,)
        Envelope of the cutoff.
    directions : Tensor (C, 3)
        Unit vectors from pocket to ligand atoms.
    relief : Tensor (3n,)
        Displacement by which the pose's strain is relieved, Å; see `strain.py`.
    """

    structure: Structure
    kind: Tensor
    atoms: Tensor
    gradients: Tensor
    transposed: Tensor
    weights: Tensor
    values: Tensor
    contact_classes: Tensor
    contact_weights: Tensor
    directions: Tensor
    relief: Tensor

    @property
    def size(self) -> int:
        """Heavy atoms of the ligand, n."""
        return len(self.structure.x)


def springs(
    chemistry: LigandChemistry,
    x: ArrayLike,
    pocket: PocketAtoms,
    dtype: torch.dtype = torch.float64,
) -> Springs:
    """Springs of a ligand with heavy atoms at x (n, 3) Å in its pocket."""
    c = assembled(internal_coordinates(chemistry, x), structure(chemistry, x, pocket, dtype), dtype)
    relief = torch.as_tensor(strain_relief(chemistry, x).reshape(-1), dtype=dtype)
    return c._replace(relief=relief)


def assembled(inner: InternalCoordinates, tensors: Structure, dtype: torch.dtype) -> Springs:
    """Springs of given internal coordinates and contacts, of a structure that is not strained."""
    d = length(tensors.contact_vectors)
    polar = tensors.contact_features[:, 0] > 0
    gradients = torch.as_tensor(inner.gradients, dtype=dtype)
    first = len(CLASSES)
    shares = torch.zeros(len(d), len(CLASS_NAMES), dtype=dtype)
    shares[polar, first : first + len(POLAR_NODES)] = _hats(d[polar], POLAR_NODES)
    shares[~polar, first + len(POLAR_NODES) : -1] = _hats(d[~polar], OTHER_NODES)
    return Springs(
        structure=tensors,
        kind=torch.as_tensor(inner.kind),
        atoms=torch.as_tensor(inner.atoms),
        gradients=gradients,
        transposed=gradients.T if len(tensors.x) <= DENSE else gradients.T.to_sparse(),
        weights=torch.as_tensor(inner.weights, dtype=dtype),
        values=torch.as_tensor(inner.values, dtype=dtype),
        contact_classes=shares,
        contact_weights=envelope(d, POCKET_CUTOFF),
        directions=tensors.contact_vectors / d.unsqueeze(-1),
        relief=torch.zeros(3 * len(tensors.x), dtype=dtype),
    )


def _hats(d: Tensor, nodes: tuple[float, ...]) -> Tensor:
    """Weights (C, nodes) of linear interpolation, constant beyond both ends; their sum is 1."""
    array = d.numpy()
    columns = [np.interp(array, nodes, row) for row in np.eye(len(nodes))]
    return torch.as_tensor(np.stack(columns, axis=-1), dtype=d.dtype)


def stiffness(c: Springs, inner: Tensor, contact: Tensor, anchor: Tensor) -> Tensor:
    """Stiffness H (3n, 3n) in kT/Å².

    Parameters
    ----------
    c : Springs
    inner, contact, anchor : Tensor (c,), (C,), (n,)
        Stiffness of internal coordinates, of contacts and of the isotropic spring of each atom.
    """
    hessian = c.transposed @ (inner.unsqueeze(-1) * c.gradients)
    outer = c.directions.unsqueeze(-1) * c.directions.unsqueeze(-2)
    blocks = anchor[:, None, None] * torch.eye(3, dtype=anchor.dtype)
    blocks = blocks.index_add(0, c.structure.contacts[0], contact[:, None, None] * outer)
    n = c.size
    diagonal = torch.zeros(n, 3, n, 3, dtype=anchor.dtype)
    index = torch.arange(n)
    diagonal[index, :, index, :] = blocks
    return hessian + diagonal.reshape(3 * n, 3 * n)


def class_stiffness(c: Springs, constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Stiffness of every spring from the class constants alone, ln(kT/Å²) (classes,)."""
    inner = constants[c.kind].exp() * c.weights
    contact = (c.contact_classes @ constants).exp() * c.contact_weights
    return inner, contact, constants[-1].exp().expand(c.size)
