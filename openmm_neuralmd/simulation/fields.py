"""Force modules: the parts of a model that run at every step.

The protein's representation h_r enters as a constant; ProteinNet is not part of any field.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..dynamics.bonded_terms import BondedTerms, Counts
from ..errors import ModelError


class PocketField(nn.Module):
    """BindingNet without its protein part.

    Force (1, n, 3) in amu Å/Δ², or energy (1,) in a unit of the model.

    Parameters
    ----------
    network : BindingNet
        It loses its protein part: pass a copy.
    c : ComplexTensors
        One complex (B = 1), of the network's dtype.
    """

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
        del network.protein
        self.network = network
        self.residues = protein.mask.shape[1]
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
        return self.network(self.z, x, self.mask, self.protein(ca, frames))

    def gradient(
        self, x: Tensor, ca: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Energy (1,) of a network with an energy head, and derivatives by x, ca and frames."""
        energy, places, near = self.network.gradient(self.z, x, self.mask, self.protein(ca, frames))
        g_ca = torch.cat((places.ca, near.ca), dim=1)
        return energy, places.x, g_ca, torch.cat((places.frames, near.frames), dim=1)

    def protein(self, ca: Tensor, frames: Tensor) -> Protein:
        """Protein with Cα, pocket atoms and frames at other places; see `forward`."""
        split = self.residues
        around, near = frames[:, :split], frames[:, split:]
        return Protein(
            self.h_r,
            ca[:, :split],
            around,
            self.residue_mask,
            self.pocket_h,
            ca[:, split:],
            near,
            self.pocket_mask,
        )


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

    def gradient(
        self, x: Tensor, ca: Tensor, frames: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Energy, and its derivatives by x (1, n, 3) Å, Cα (1, R, 3) Å and frames (1, R, 3, 3)."""
        energy, g_x, g_ca, g_frames = self.field.gradient(x, ca, frames)
        unit, g_own = self.unit, self.terms.gradient(x)
        return unit * energy + self.terms(x), unit * g_x + g_own, unit * g_ca, unit * g_frames


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
