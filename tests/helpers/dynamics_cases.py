"""Small learned dynamics for tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from openmm_neuralmd.bindingnet.inputs import ComplexTensors
from openmm_neuralmd.bindingnet.network import Protein
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.registry import LEARNED

SMALL = BindingNetSettings(hidden=8, vector_channels=2, ligand_layers=1, num_radial=8)


def small(name: str, **settings: object) -> Any:
    """A dynamics of that name with a small network and seeded weights, in double precision."""
    kind = LEARNED[name]
    content = {"network": SMALL.model_dump(exclude={"head"}), **settings}
    torch.manual_seed(0)
    return kind(kind.settings_class.model_validate(content)).double()


class Nothing(nn.Module):
    def forward(self, z: Tensor, x: Tensor, mask: Tensor, protein: Protein) -> Tensor:
        return torch.zeros_like(x)


def point() -> ComplexTensors:
    """One atom of mass 1; the force above does not look at a protein."""
    one = torch.ones(1, 1, dtype=torch.float64)
    return ComplexTensors(
        z=torch.full((1, 1), 6),
        mass=one,
        mask=one.bool(),
        residue_type=torch.zeros(1, 1).long(),
        backbone=torch.zeros(1, 1, 3, 3).double(),
        frame_atoms=torch.zeros(1, 1, 3).long(),
        isolated=one.bool(),
        residue_mask=one.bool(),
        pairs=torch.zeros(1, 0, 2).long(),
        pocket_features=torch.zeros(1, 0, 11).double(),
        pocket_atoms=torch.zeros(1, 0, 3).double(),
        pocket_residues=torch.zeros(1, 0).long(),
        pocket_mask=torch.zeros(1, 0).bool(),
    )
