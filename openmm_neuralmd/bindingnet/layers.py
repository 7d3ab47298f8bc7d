"""Small building blocks shared by the ligand, protein and complex parts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .vector_frames import length


def mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two linear layers with a SiLU between them, on the last dimension."""
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def gather_rows(values: Tensor, index: Tensor) -> Tensor:
    """Rows of `values` (B, R, f) at `index` (B, n, K), as (B, n, K, f)."""
    flat = index.flatten(1).unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return torch.gather(values, 1, flat).unflatten(1, (index.shape[1], index.shape[2]))


class EdgeLinear(nn.Module):
    """A linear map on channel-first pair tensors (B, in, n, m) -> (B, out, n, m).

    Channel-first keeps the sum over neighbours a plain batched matrix product.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        reference = nn.Linear(inputs, outputs)
        self.weight = reference.weight
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, e: Tensor) -> Tensor:
        """Apply the map."""
        # bmm, since matmul would transpose the large operand, which costs more than the product.
        y = torch.bmm(self.weight.expand(e.shape[0], -1, -1), e.flatten(2))
        bias = self.bias
        if bias is not None:
            y = y + bias.unsqueeze(-1)
        return y.unflatten(2, (e.shape[2], e.shape[3]))


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
