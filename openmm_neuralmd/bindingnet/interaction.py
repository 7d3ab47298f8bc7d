"""Residue-level complex part of BindingNet (paper, 'Residue-Level Complex Modeling')."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import VectorUpdate, gather_rows
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import length


class ResidueNeighbours(nn.Module):
    """The residues that a ligand atom feels: a neighbour list of fixed capacity.

    The cost of everything behind it does not grow with the protein.

    Parameters
    ----------
    capacity : int
        Residues per ligand atom, K.
    cutoff : float
        Ligand atom to Cα, Å.
    """

    def __init__(self, capacity: int, cutoff: float) -> None:
        super().__init__()
        self.capacity = capacity
        self.cutoff = cutoff

    def forward(self, x: Tensor, ca: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Indices (B, n, K) of the nearest residues, and the poison (B, n, 1).

        The poison is 0, or NaN for an atom that has more than K residues within the cutoff:
        an answer that silently leaves residues out would be worse, and an exception would force
        a GPU to synchronise at every step.  `ForceModule`
        (simulation/export.py) words it for people.
        """
        # Detached rather than under no_grad: torch.jit.freeze (torch 2.9) merges equal expressions
        # inside and outside a no_grad block, and the distances' own gradient would be lost.
        r = x.detach().unsqueeze(2) - ca.detach().unsqueeze(1)
        d = torch.linalg.vector_norm(r, dim=-1)
        d = torch.where(mask.unsqueeze(1), d, torch.full_like(d, 1e6))
        capacity = min(self.capacity, ca.shape[1])
        index = d.topk(capacity, dim=-1, largest=False, sorted=False)[1]
        too_many = (d < self.cutoff).sum(-1, keepdim=True) > capacity
        poison = torch.zeros_like(x[:, :, :1]).masked_fill(too_many, float("nan"))
        return index, poison


class InteractionLayer(nn.Module):
    """One equivariant message-passing layer between ligand atoms and residues.

    h_ir = MLP(s_i + h_r + rbf(d_ir)) times unit(x_i − CA_r), scalarized on the residue frame,
    gives Δs_i = Σ_r w0 and Δvec_i = Σ_r vec_i w1 + unit(x_i − CA_r) w2.
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        h, channels = settings.hidden, settings.vector_channels
        self.hidden = h
        self.radial_weight = nn.Linear(settings.num_radial, h, bias=False)
        self.edge = nn.Sequential(nn.SiLU(), nn.Linear(h, h), nn.SiLU())
        self.feature = nn.Linear(h, channels, bias=False)
        self.axes = nn.Linear(3 * channels, h, bias=False)
        self.weights = nn.Sequential(nn.SiLU(), nn.Linear(h, 3 * h))
        self.update = VectorUpdate(h)

    def forward(
        self,
        s: Tensor,
        vec: Tensor,
        h_r: Tensor,
        rbf: Tensor,
        u: Tensor,
        direction: Tensor,
        projected: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Update s (B, n, h) and vec (B, n, 3, h) by the residues (B, n, K, ...) around.

        `u` (B, n, K, 1) is the envelope, `direction` (B, n, K, 3) unit(x_i − CA_r) in space,
        `projected` (B, n, K, 3) the same on the residue frame.
        """
        h = self.edge(s.unsqueeze(2) + h_r + self.radial_weight(rbf))
        seen = (projected.unsqueeze(-1) * self.feature(h).unsqueeze(-2)).flatten(-2)
        w0, w1, w2 = (self.weights(h + self.axes(seen)) * u).chunk(3, dim=-1)
        external = torch.matmul(direction.transpose(-1, -2), w2)
        return self.update(s + w0.sum(2), vec + vec * w1.sum(2).unsqueeze(-2) + external)


class InteractionNet(nn.Module):
    """Invariants and vectors of the ligand's atoms after they have met the protein.

    Parameters
    ----------
    settings : BindingNetSettings
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        self.cutoff = settings.complex_cutoff
        self.neighbours = ResidueNeighbours(settings.complex_neighbours, self.cutoff)
        self.radial = ExpNorm(settings.num_radial, self.cutoff)
        self.layers = nn.ModuleList(
            [InteractionLayer(settings) for _ in range(settings.complex_layers)]
        )

    def forward(
        self,
        s: Tensor,
        vec: Tensor,
        x: Tensor,
        h_r: Tensor,
        ca: Tensor,
        frames: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Invariants (B, n, h) and vectors (B, n, 3, h).

        Parameters
        ----------
        x : Tensor (B, n, 3)
            Ligand coordinates, Å.
        h_r, ca, frames, mask : Tensor (B, R, h), (B, R, 3), (B, R, 3, 3), (B, R)
            Residues: representation, Cα in Å, residue frame, False on padding.
        """
        index, poison = self.neighbours(x, ca, mask)
        r = x.unsqueeze(2) - gather_rows(ca, index)
        d = length(r)
        direction = r / d.unsqueeze(-1)
        frame = gather_rows(frames.flatten(2), index).unflatten(-1, (3, 3))
        projected = torch.matmul(frame, direction.unsqueeze(-1)).squeeze(-1)
        valid = gather_rows(mask.to(x.dtype).unsqueeze(-1), index)
        u = envelope(d, self.cutoff).unsqueeze(-1) * valid
        near = gather_rows(h_r, index)
        rbf = self.radial(d)
        s = s + poison
        for layer in self.layers:
            s, vec = layer(s, vec, near, rbf, u, direction, projected)
        return s, vec
