"""Small building blocks shared by the ligand, protein and complex parts.

Blocks on the way from coordinates to an energy have a `pullback` beside their `forward`: `keep`
returns the same results and what else was computed, and `pullback` takes the derivative of the
energy by the results, and that, to the derivative by what went in.  Autograd gives the same with
more operations; it stays the way to derivatives by weights.
"""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from .vector_frames import length


def silu_pullback(g: Tensor, x: Tensor) -> Tensor:
    """Pullback of SiLU at x."""
    pulled: Tensor = torch.ops.aten.silu_backward(g, x)
    return pulled


class MLP(nn.Sequential):
    """Two linear layers with a SiLU between them, on the last dimension."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))

    def keep(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, and the input of the SiLU for `pullback`."""
        inner = self[0](x)
        return self[2](self[1](inner)), inner

    def pullback(self, g: Tensor, inner: Tensor) -> Tensor:
        """Derivative by the input."""
        first, second = self[0].weight, self[2].weight
        hidden = silu_pullback(torch.matmul(g, second), inner)  # type: ignore[arg-type]
        return torch.matmul(hidden, first)  # type: ignore[arg-type]


class Activated(nn.Sequential):
    """A linear layer between two SiLUs."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(nn.SiLU(), linear, nn.SiLU())

    def keep(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs, and the input of the second SiLU for `pullback`."""
        inner = self[1](self[0](x))
        return self[2](inner), inner

    def pullback(self, g: Tensor, x: Tensor, inner: Tensor) -> Tensor:
        """Derivative by the input x."""
        g = torch.matmul(silu_pullback(g, inner), self[1].weight)  # type: ignore[arg-type]
        return silu_pullback(g, x)


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

    def forward(self, sums: Tensor, weights: Tensor, first: int, last: int) -> Tensor:
        """Outputs `first` to `last` of sums Σ_e u_e a_e (..., h) with weights Σ_e u_e (..., 1)."""
        return linear(sums, self.weight[first:last]) + weights * self.bias[first:last]

    def pullback(self, g: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Derivatives by the sums and the weights."""
        by_weights = (g * self.bias[first:last]).sum(-1, keepdim=True)
        return torch.matmul(g, self.weight[first:last]), by_weights


class KeptUpdate(NamedTuple):
    """Intermediate results of `VectorUpdate`: mixed vectors, their products, and the gate's."""

    u: Tensor
    w: Tensor
    inner: Tensor
    magnitude: Tensor
    hidden: Tensor
    b: Tensor
    c: Tensor


class VectorUpdate(nn.Module):
    """Exchange between invariants s and vectors vec of the same atom (equivariant, gated).

    The squared lengths of mixed vectors inform s; gates computed from both scale the vectors.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.mix = nn.Linear(hidden, 2 * hidden, bias=False)
        self.gate = MLP(2 * hidden, hidden, 3 * hidden)

    def forward(self, s: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
        """Invariants s (B, n, h) and vectors vec (B, n, 3, h), both updated."""
        s, vec, _ = self.keep(s, vec)
        return s, vec

    def keep(self, s: Tensor, vec: Tensor) -> tuple[Tensor, Tensor, KeptUpdate]:
        """See `forward`."""
        u, w = self.mix(vec).chunk(2, dim=-1)
        inner = (u * w).sum(-2)
        magnitude = length(w, dim=-2)
        gates, hidden = self.gate.keep(torch.cat((s, magnitude), dim=-1))
        a, b, c = gates.chunk(3, dim=-1)
        stored = KeptUpdate(u, w, inner, magnitude, hidden, b, c)
        return torch.addcmul(s + a, b, inner), torch.addcmul(vec, c.unsqueeze(-2), u), stored

    def pullback(self, g_s: Tensor, g_vec: Tensor, stored: KeptUpdate) -> tuple[Tensor, Tensor]:
        """Derivatives by s and vec."""
        gates = torch.cat((g_s, g_s * stored.inner, (g_vec * stored.u).sum(-2)), dim=-1)
        seen = self.gate.pullback(gates, stored.hidden)
        g_magnitude = (seen[..., self.hidden :] / stored.magnitude).unsqueeze(-2)
        g_inner = (g_s * stored.b).unsqueeze(-2)
        g_u = torch.addcmul(g_vec * stored.c.unsqueeze(-2), g_inner, stored.w)
        g_w = torch.addcmul(g_inner * stored.u, g_magnitude, stored.w)
        mixed = torch.matmul(torch.cat((g_u, g_w), dim=-1), self.mix.weight)
        return g_s + seen[..., : self.hidden], g_vec + mixed


class VectorHead(nn.Module):
    """Gated equivariant block: vectors (B, n, 3, h) with invariants (B, n, h) to (B, n, 3)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mix = nn.Linear(hidden, 2 * hidden, bias=False)
        self.gate = MLP(2 * hidden, hidden, hidden)

    def forward(self, s: Tensor, vec: Tensor) -> Tensor:
        """One vector per atom."""
        u, w = self.mix(vec).chunk(2, dim=-1)
        gates = self.gate(torch.cat((s, length(w.transpose(-1, -2))), dim=-1))
        return (gates.unsqueeze(-2) * u).sum(-1)
