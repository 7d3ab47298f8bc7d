"""Output heads of BindingNet, with one signature, in one dict: atomic forces, or one energy."""

from __future__ import annotations

from torch import Tensor, nn

from .layers import MLP, VectorHead


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
        self.internal = MLP(hidden, hidden, 1)
        self.external = MLP(hidden, hidden, 1)

    def forward(self, s: Tensor, vec: Tensor, s_met: Tensor, vec_met: Tensor, w: Tensor) -> Tensor:
        """Combine (s, vec) of the ligand alone, (s, vec) with the protein, and atom weights w."""
        energy, _ = self.keep(s, s_met, w)
        return energy

    def keep(self, s: Tensor, s_met: Tensor, w: Tensor) -> tuple[Tensor, list[Tensor]]:
        """See `forward`."""
        own, first = self.internal.keep(s)
        met, second = self.external.keep(s_met)
        apart, third = self.external.keep(s)
        return ((own + met - apart) * w).sum((1, 2)), [first, second, third]

    def pullback(self, w: Tensor, stored: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Derivatives of the sum of energies by s and s_met."""
        apart = self.external.pullback(w, stored[2])
        return self.internal.pullback(w, stored[0]) - apart, self.external.pullback(w, stored[1])


HEADS: dict[str, type[nn.Module]] = {"force": ForceHead, "energy": EnergyHead}
