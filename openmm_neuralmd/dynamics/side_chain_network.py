"""Motion of the side chains around a ligand, given where the ligand is.

Side chains are a Gaussian about the given structure, as the ligand is (`spring_network`), with
weights of their own.  Contacts tie them to the ligand: a displacement d of the ligand from its mean
moves their mean by A d, A = H⁻¹ B with the force constants B between both.  The ligand's own
distribution is that of NeuralMD-OU and stays as it is; together they are one Gaussian.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .internal_coordinates import CLASSES
from .ou_heads import Corrections
from .ou_snapshots import REAL_STIFFNESS
from .side_chain_springs import SideChainSprings
from .spring_network import SpringNetwork, SpringNetworkSettings
from .springs import Springs


class SideChainGaussian(NamedTuple):
    """Distribution of m atoms of side chains, given the ligand's n heavy atoms.

    Attributes
    ----------
    compliance : Tensor (3m, 3m)
        H⁻¹ with the ligand held, Å²/kT.
    displacement : Tensor (3m,)
        u, displacement of the mean from the given structure with the ligand at its mean, Å.
    response : Tensor (3m, 3n)
        A, displacement of the mean for a displacement of the ligand.
    freedom : Tensor ()
        ν of an atom's distribution; only the fit uses it.
    """

    compliance: Tensor
    displacement: Tensor
    response: Tensor
    freedom: Tensor

    def covariance(self, ligand: Tensor) -> Tensor:
        """Covariance (3m, 3m) in Å² with a ligand of covariance (3n, 3n)."""
        return self.compliance + self.response @ ligand @ self.response.T


class SideChainNetwork(SpringNetwork):
    """Class constants and networks of the side chains.

    Parameters
    ----------
    settings : SpringNetworkSettings
    """

    def __init__(self, settings: SpringNetworkSettings) -> None:
        super().__init__(settings)
        self.log_typical = nn.Parameter(torch.zeros(()))

    def spring_constants(
        self, c: Springs, corrections: Corrections | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `SpringNetwork`; what a force field holds stiff is held stiff here too.

        The fit sees single atoms only, and could explain their motion by torn bonds.
        """
        inner, contact, anchor = super().spring_constants(c, corrections)
        hard = torch.zeros(len(CLASSES), dtype=inner.dtype)
        hard[: len(REAL_STIFFNESS)] = torch.tensor(REAL_STIFFNESS, dtype=inner.dtype)
        return inner + hard[c.kind] * c.weights, contact, anchor

    def motion(self, c: SideChainSprings, corrections: Corrections | None) -> SideChainGaussian:
        """Stiffness, displacement and response from the corrections of the network."""
        gaussian = self.gaussian(c.springs, corrections)
        _, contact, _ = self.spring_constants(c.springs, corrections)
        compliance = torch.linalg.inv(gaussian.stiffness)
        response = compliance @ c.coupling(contact)
        return SideChainGaussian(compliance, gaussian.displacement, response, gaussian.freedom)
