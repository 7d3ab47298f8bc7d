"""Force modules: the parts of a model that run at every step.

The protein's representation h_r enters as a constant; ProteinNet is not part of any field.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..bindingnet.heads import EnergyHead
from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet
from ..dynamics.energy import BondedTerms, Counts
from ..errors import ModelError


class PocketField(nn.Module):
    """BindingNet without its protein part.

    Force (1, n, 3) in amu Å/Δ², or energy (1,) in a unit of the model.

    Parameters
    ----------
    network : BindingNet
        Only its ligand, interaction and head are kept, and changed: pass a copy.
    c : ComplexTensors
        One complex (B = 1), of the network's dtype.
    """

    __constants__ = ["conservative"]
    if TYPE_CHECKING:  # TorchScript does not read postponed annotations
        z: Tensor
        mask: Tensor
        h_r: Tensor
        residue_mask: Tensor
        pocket_h: Tensor
        pocket_mask: Tensor

    def __init__(self, network: BindingNet, c: ComplexTensors) -> None:
        super().__init__()
        with torch.no_grad():
            protein = network.encode(c)
        self.hidden = network.hidden
        self.conservative = isinstance(network.head, EnergyHead)
        self.ligand = network.ligand
        self.interaction = network.interaction
        self.pocket = network.pocket
        self.residues = protein.mask.shape[1]
        self.head = network.head
        self.register_buffer("z", c.z)
        self.register_buffer("mask", c.mask)
        self.register_buffer("h_r", protein.h)
        self.register_buffer("residue_mask", protein.mask)
        self.register_buffer("pocket_h", protein.pocket_h)
        self.register_buffer("pocket_mask", protein.pocket_mask)

    def forward(self, x: Tensor, ca: Tensor, frames: Tensor) -> Tensor:
        """Evaluate at ligand x (1, n, 3) Å.

        `ca` (1, R + p, 3) Å are Cα, then pocket atoms, `frames` (1, R + p, 3, 3) those of their
        residues; p is 0 without the fourth grain.
        """
        start = torch.zeros(1, x.shape[1], 3, self.hidden, dtype=x.dtype, device=x.device)
        s, vec = self.ligand(self.z, x, self.mask, start)
        split = self.residues
        s_met, vec_met = self.interaction(
            s, vec, x, self.h_r, ca[:, :split], frames[:, :split], self.residue_mask
        )
        if self.pocket is not None:
            near, around = ca[:, split:], frames[:, split:]
            s_met, vec_met = self.pocket(
                s_met, vec_met, x, self.pocket_h, near, around, self.pocket_mask
            )
        if self.conservative:
            # The energy does not use the last vectors.  TorchScript's derivative of chunk() is
            # wrong ('shapes cannot be multiplied', torch 2.9) where one chunk has no gradient, so
            # it is given one that is zero.
            s_met = s_met + 0.0 * vec_met.sum(-2)
        return self.head(s, vec, s_met, vec_met, self.mask.to(x.dtype).unsqueeze(-1))


class RefinementField(nn.Module):
    """The velocity refinement α R(z, x) of NeuralMD-ODE, (1, n, 3) in Å/Δ: the ligand alone."""

    if TYPE_CHECKING:
        z: Tensor
        mask: Tensor

    def __init__(self, network: nn.Module, coefficient: float, c: ComplexTensors) -> None:
        super().__init__()
        self.network = network
        self.coefficient = coefficient
        self.register_buffer("z", c.z)
        self.register_buffer("mask", c.mask)

    def forward(self, x: Tensor, ca: Tensor, frames: Tensor) -> Tensor:
        """Evaluate at ligand x (1, n, 3) Å; the protein does not enter."""
        return self.coefficient * self.network(self.z, x, self.mask, torch.zeros_like(x))


class EnergyField(nn.Module):
    """Energy (1,) in kJ/mol: the network's, and the ligand's own bonded terms.

    Parameters
    ----------
    field : PocketField
        With an energy head.
    unit : float
        kJ/mol in one unit of its output.
    terms : BondedTerms
        None of them, where the network is all.
    """

    def __init__(self, field: PocketField, unit: float, terms: BondedTerms) -> None:
        super().__init__()
        self.field = field
        self.unit = unit
        self.terms = terms

    def forward(self, x: Tensor, ca: Tensor, frames: Tensor) -> Tensor:
        """Evaluate at ligand x (1, n, 3) Å, with Cα (1, R, 3) Å and residue frames (1, R, 3, 3)."""
        return self.unit * self.field(x, ca, frames) + self.terms(x)


def _force(dynamics: Any, c: ComplexTensors, interval_ps: float) -> nn.Module:
    return PocketField(dynamics.network, c)


def _energy(dynamics: Any, c: ComplexTensors, interval_ps: float) -> nn.Module:
    terms = getattr(dynamics, "terms", None) or BondedTerms(Counts())
    unit = dynamics.energy_unit(interval_ps)
    return EnergyField(PocketField(dynamics.network, c), unit, terms)


def _refinement(dynamics: Any, c: ComplexTensors, interval_ps: float) -> nn.Module:
    return RefinementField(dynamics.refinement, dynamics.settings.refinement, c)


FIELDS: dict[str, Callable[[Any, ComplexTensors, float], nn.Module]] = {
    "force": _force,
    "energy": _energy,
    "refinement": _refinement,
}
"""How each quantity is taken out of a dynamics, given Δ in ps."""


def make_field(
    dynamics: Any, name: str, c: ComplexTensors, interval_ps: float, dtype: torch.dtype
) -> nn.Module:
    """Copy one field in `dtype`, frozen; the dynamics itself is not changed.

    Raises
    ------
    ModelError
        If the model has no such quantity.
    """
    offered = dynamics.fields
    if name not in offered:
        raise ModelError(f"this model gives no '{name}'; it gives {', '.join(offered)}")
    field = FIELDS[name](copy.deepcopy(dynamics).to(dtype), c, interval_ps).eval()
    return field.requires_grad_(False)
