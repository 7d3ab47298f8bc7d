"""Output heads of BindingNet, with one signature, in one dict: atomic forces, or one energy."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import VectorHead, mlp


class ForceHead(nn.Module):
    """Internal plus external force, (B, n, 3) in amu Å/Δ²: equivariant, not conservative."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.internal = VectorHead(hidden)
        self.external = VectorHead(hidden)

    def forward(self, s: Tensor, vec: Tensor, s_met: Tensor, vec_met: Tensor, w: Tensor) -> Tensor:
        """Combine (s, vec) of the ligand alone, (s, vec) with the protein, and atom weights w."""
        return (self.internal(s, vec) + self.external(s_met, vec_met - vec)) * w


class EnergyHead(nn.Module):
    """Internal plus external energy, (B,) in kJ/mol; forces are its negative gradient.

    The external part is a difference, so it is exactly zero for a ligand out of reach.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.internal = mlp(hidden, hidden, 1)
        self.external = mlp(hidden, hidden, 1)

    def forward(self, s: Tensor, vec: Tensor, s_met: Tensor, vec_met: Tensor, w: Tensor) -> Tensor:
        """Combine (s, vec) of the ligand alone, (s, vec) with the protein, and atom weights w."""
        atomic = self.internal(s) + self.external(s_met) - self.external(s)
        return (atomic * w).sum((1, 2))


HEADS: dict[str, type[nn.Module]] = {"force": ForceHead, "energy": EnergyHead}
