"""A Gaussian from springs: class constants, and networks that correct them.

    H = Σ_c k_c g_c g_cᵀ        ln k_c = ln (class constant) + correction of the network
    u = H⁻¹ f                   f = Σ_c k_c δ_c g_c + forces of the network

NeuralMD-OU uses it for the ligand and, with weights of its own, for the side chains around it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..bindingnet.structure_network import StructureNetSettings
from .ou_heads import Corrections, HeadSettings, Member, average
from .springs import START, Springs, class_stiffness, stiffness


class SpringNetworkSettings(BaseModel):
    """Settings of a spring network.

    Attributes
    ----------
    network : StructureNetSettings
    heads : HeadSettings
    members : int
        Networks whose corrections are averaged; 0: class constants only.
    displaced : bool
        Whether the mean is displaced from the given pose (False: u = 0).
    displacement_share : float
        Share of the learned displacement that is used; below 1 where few complexes taught it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: StructureNetSettings = StructureNetSettings()
    heads: HeadSettings = HeadSettings()
    members: int = Field(1, ge=0)
    displaced: bool = True
    displacement_share: float = Field(1.0, ge=0, le=1)


class Gaussian(NamedTuple):
    """Distribution of n atoms, for a scale of 1.

    Attributes
    ----------
    stiffness : Tensor (3n, 3n)
        H, kT/Å².
    displacement : Tensor (3n,)
        u, Å.
    freedom : Tensor ()
        ν, degrees of freedom of the scale.
    """

    stiffness: Tensor
    displacement: Tensor
    freedom: Tensor


class SpringNetwork(nn.Module):
    """Class constants and members of a network, which define a Gaussian.

    Parameters
    ----------
    settings : SpringNetworkSettings
    """

    def __init__(self, settings: SpringNetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.constants = nn.Parameter(torch.log(torch.tensor(START)))
        self.log_freedom = nn.Parameter(torch.tensor(math.log(3.0)))
        self.members = nn.ModuleList(
            [Member(settings.network, settings.heads) for _ in range(settings.members)]
        )

    def class_parameters(self) -> list[tuple[nn.Parameter, Tensor]]:
        """Return class constants and ν, fitted before the network, each with its start."""
        return [
            (self.constants, torch.log(torch.tensor(START, dtype=torch.float64))),
            (self.log_freedom, torch.tensor(math.log(3.0), dtype=torch.float64)),
        ]

    def corrections(self, c: Springs, member: int | None = None) -> Corrections | None:
        """Corrections of one member, or the mean of all; None without a network."""
        if not self.members:
            return None
        if member is not None:
            own: Corrections = self.members[member](c)
            return own
        return average([one(c) for one in self.members])

    def forward(self, c: Springs, member: int | None = None) -> Gaussian:
        """Stiffness and displacement of a complex."""
        return self.gaussian(c, self.corrections(c, member))

    def gaussian(self, c: Springs, corrections: Corrections | None) -> Gaussian:
        """Stiffness and displacement from the class constants and the network's corrections."""
        precise = c.gradients.dtype
        inner, contact, anchor = self.spring_constants(c, corrections)
        freedom = self.log_freedom.to(precise).exp()
        hessian = stiffness(c, inner, contact, anchor)
        if corrections is None:
            return Gaussian(hessian, torch.zeros_like(hessian[0]), freedom)
        freedom = freedom * corrections.freedom.exp()
        if not self.settings.displaced:
            return Gaussian(hessian, torch.zeros_like(hessian[0]), freedom)
        pull = (contact * corrections.contact_shift).unsqueeze(-1) * c.directions
        forces = corrections.force.index_add(0, c.structure.contacts[0], pull).reshape(-1)
        forces = forces + (inner * corrections.inner_shift) @ c.gradients
        forces = self.settings.displacement_share * forces
        return Gaussian(hessian, torch.linalg.solve(hessian, forces), freedom)

    def spring_constants(
        self, c: Springs, corrections: Corrections | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Stiffness (c,), (C,), (n,) of internal coordinates, contacts and anchors."""
        inner, contact, anchor = class_stiffness(c, self.constants.to(c.gradients.dtype))
        if corrections is None:
            return inner, contact, anchor
        return (
            inner * corrections.inner.exp(),
            contact * corrections.contact.exp(),
            anchor * corrections.anchor.exp(),
        )
