"""A complex as the tensors that the network reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..structure.pairs import bonded_pairs
from ..units import to_angstrom
from .pocket import complex_pocket
from .vector_frames import frame_atoms

if TYPE_CHECKING:
    from ..structure.complex import Complex


class ComplexTensors(NamedTuple):
    """One complex, or a padded batch of complexes.

    Attributes
    ----------
    z : Tensor (B, n), int64
        Atomic numbers of the ligand's atoms: heavy ones, or all (`Complex.sites`).
    mass : Tensor (B, n)
        amu (1 on padding, so that a division by it stays finite).
    mask : Tensor (B, n), bool
        False on padding.
    residue_type : Tensor (B, R), int64
    backbone : Tensor (B, R, 3, 3)
        N, Cα, C of each residue, Å.
    frame_atoms, isolated : Tensor (B, R, 3), (B, R)
        See `frames.frame_atoms`.
    residue_mask : Tensor (B, R), bool
        False on padding.
    pairs : Tensor (B, p, 2), int64
        Ligand atoms that are bonded or share a bonded neighbour (1–2 and 1–3); −1 on padding.
    pocket_features, pocket_atoms : Tensor (B, p, f), (B, p, 3)
        Heavy atoms of the protein around the ligand: what they are, where they are in Å.
    pocket_residues : Tensor (B, p), int64
        The residue of each, whose frame it has.
    pocket_mask : Tensor (B, p), bool
        False on padding.
    """

    z: Tensor
    mass: Tensor
    mask: Tensor
    residue_type: Tensor
    backbone: Tensor
    frame_atoms: Tensor
    isolated: Tensor
    residue_mask: Tensor
    pairs: Tensor
    pocket_features: Tensor
    pocket_atoms: Tensor
    pocket_residues: Tensor
    pocket_mask: Tensor


def complex_tensors(
    complex: Complex, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> ComplexTensors:
    """The tensors (B = 1) of a Complex at its own positions.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.bindingnet import complex_tensors
    >>> c = complex_tensors(example_complex("t4l-p-xylene"))
    >>> tuple(c.z.shape), tuple(c.backbone.shape)
    ((1, 8), (1, 162, 3, 3))
    """

    def tensor(array: object, kind: torch.dtype) -> Tensor:
        return torch.as_tensor(array, dtype=kind, device=device).unsqueeze(0)

    sites = complex.sites
    linked = tensor(complex.linked, torch.bool)
    atoms, isolated = frame_atoms(linked)
    backbone = tensor(to_angstrom(complex.positions[complex.backbone]), dtype)
    near, residues = complex_pocket(complex)
    return ComplexTensors(
        z=tensor(complex.ligand_atomic_numbers[sites], torch.int64),
        mass=tensor(complex.ligand_masses[sites], dtype),
        mask=torch.ones(1, len(sites), dtype=torch.bool, device=device),
        residue_type=tensor(complex.residue_types, torch.int64),
        backbone=backbone,
        frame_atoms=atoms,
        isolated=isolated,
        residue_mask=torch.ones_like(linked),
        pairs=tensor(bonded_pairs(complex.site_bonds, len(sites)), torch.int64),
        pocket_features=tensor(near.features, dtype),
        pocket_atoms=tensor(near.positions, dtype),
        pocket_residues=tensor(residues, torch.int64),
        pocket_mask=torch.ones(1, len(residues), dtype=torch.bool, device=device),
    )


def _pad(t: Tensor, size: int, value: float) -> Tensor:
    shape = (t.shape[0], size - t.shape[1], *t.shape[2:])
    return torch.cat((t, torch.full(shape, value, dtype=t.dtype, device=t.device)), dim=1)


def species(items: Iterable[ComplexTensors]) -> tuple[set[int], set[int]]:
    """Atomic numbers and residue types in some complexes."""
    every = list(items)
    elements = {z for c in every for z in c.z.flatten().tolist()}
    return elements, {t for c in every for t in c.residue_type.flatten().tolist()}


def collate(items: list[ComplexTensors]) -> ComplexTensors:
    """Pad complexes to a common size and stack them along the batch dimension.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.bindingnet import collate, complex_tensors
    >>> names = "t4l-p-xylene", "gpcr-ergotamine"
    >>> c = collate([complex_tensors(example_complex(name)) for name in names])
    >>> tuple(c.z.shape), c.mask.sum(1).tolist()
    ((2, 43), [8, 43])
    """
    pocket = 0.0, 0.0, 0, False
    fill = ComplexTensors(0, 1.0, False, 20, 0.0, 0, True, False, -1, *pocket)  # type: ignore[arg-type]
    columns = zip(fill, *items, strict=True)
    return ComplexTensors(
        *(
            torch.cat([_pad(t, max(u.shape[1] for u in tensors), value) for t in tensors])
            for value, *tensors in columns
        )
    )
