"""Small building blocks shared by the ligand, protein and complex parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .vector_frames import length


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with a SiLU between them, on the last dimension."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows of `values` (B, R, f) at `index` (B, n, K), as (B, n, K, f)."""
    flat = index.flatten(1).unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return torch.gather(values, 1, flat).unflatten(1, (index.shape[1], index.shape[2]))


def edge_linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """Linear map of the features of pairs (E, inputs); its bias, if it has one, begins at zero."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        layer.bias.zero_()
    if not bias:
        layer.register_parameter("bias", None)
    return layer


class SummedLinear(nn.Module):
    """Linear map of a weighted sum: Σ_e u_e (W a_e + b) = W Σ_e u_e a_e + b Σ_e u_e."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        reference = nn.Linear(inputs, outputs)
        self.weight, self.bias = reference.weight, reference.bias

    def forward(self, sums: Tensor, weights: Tensor) -> Tensor:
        """Apply the map to `sums` Σ_e u_e a_e (..., h) with `weights` Σ_e u_e (..., 1)."""
        return linear(sums, self.weight) + weights * self.bias


class VectorUpdate(nn.Module):
    """Exchange between invariants s and vectors vec of the same atom (equivariant, gated).

    The squared lengths of mixed vectors inform s; gates computed from both scale the vectors.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Linear(hidden, 2 * hidden, bias=False)
        self.gate = mlp(2 * hidden, hidden, 3 * hidden)

    def forward(self, s: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
        """Invariants s (B, n, h) and vectors vec (B, n, 3, h), both updated."""
        u, w = self.mix(vec).chunk(2, dim=-1)
        inner = (u * w).sum(-2)
        magnitude = length(w.transpose(-1, -2))
        a, b, c = self.gate(torch.cat((s, magnitude), dim=-1)).chunk(3, dim=-1)
        return s + a + b * inner, vec + c.unsqueeze(-2) * u


class VectorHead(nn.Module):
    """Gated equivariant block: vectors (B, n, 3, h) with invariants (B, n, h) to (B, n, 3)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Linear(hidden, 2 * hidden, bias=False)
        self.gate = mlp(2 * hidden, hidden, hidden)

    def forward(self, s: Tensor, vec: Tensor) -> Tensor:
        """One vector per atom."""
        u, w = self.mix(vec).chunk(2, dim=-1)
        gates = self.gate(torch.cat((s, length(w.transpose(-1, -2))), dim=-1))
        return (gates.unsqueeze(-2) * u).sum(-1)
