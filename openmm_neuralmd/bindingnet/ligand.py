"""Atom-level ligand part of BindingNet (paper, 'Atom-level ligand modeling').

All pairs with a mask and an envelope: shapes are static and nothing can overflow.  The price was
measured (benchmarks/pairs.py): against a list of the smallest capacity that is never too short
it is next to nothing for 10 or 20 atoms, a third of the time for 40, more than half for 80.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import EdgeLinear, VectorUpdate, mlp
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import atom_frames, length

MAX_ATOMIC_NUMBER = 118


def pull_together(w: Tensor, phi: Tensor, x: Tensor) -> Tensor:
    """Vectors Σ_j w_ij φ_j (x_i − x_j), (B, h, n, 3), without a (B, h, n, n, 3) tensor.

    Parameters
    ----------
    w : Tensor (B, h, n, n)
    phi : Tensor (B, h, n, 1)
    x : Tensor (B, n, 3)
    """
    x = x.unsqueeze(1)
    sums = torch.matmul(w, torch.cat((phi, phi * x), dim=-1))
    return x * sums[..., :1] - sums[..., 1:]


class LigandLayer(nn.Module):
    """One equivariant message-passing layer.

    Δs_i = Σ_j w0_ij φ0(s_j),  Δvec_i = Σ_j vec_j w1_ij + w2_ij φ1(s_j) unit(x_i − x_j), where
    the weights w are linear in the edge features (no bias, so they vanish at the cutoff).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        # Three maps instead of one that is split: each result is contiguous for its product.
        self.invariant = EdgeLinear(hidden, hidden, bias=False)
        self.carry = EdgeLinear(hidden, hidden, bias=False)
        self.create = EdgeLinear(hidden, hidden, bias=False)
        self.source = mlp(hidden, hidden, 2 * hidden)
        self.update = VectorUpdate(hidden)

    def forward(
        self, s: Tensor, vec: Tensor, edges: Tensor, x: Tensor, inverse: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update s (B, n, h) and vec (B, n, 3, h).

        `edges` (B, h, n, n) carry the envelope, `x` (B, n, 3) Å, `inverse` (B, 1, n, n) is
        1 / |x_i − x_j|.
        """
        phi0, phi1 = self.source(s).transpose(1, 2).unsqueeze(-1).chunk(2, dim=1)
        ds = torch.matmul(self.invariant(edges), phi0).squeeze(-1).transpose(1, 2)
        carried = torch.matmul(self.carry(edges), vec.permute(0, 3, 1, 2))
        created = pull_together(self.create(edges) * inverse, phi1, x)
        return self.update(s + ds, vec + (carried + created).permute(0, 2, 3, 1))


class LigandNet(nn.Module):
    """Invariants s (B, n, h) and vectors vec (B, n, 3, h) of the ligand's atoms.

    Parameters
    ----------
    settings : BindingNetSettings
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        h, k, channels = settings.hidden, settings.num_radial, settings.vector_channels
        self.hidden = h
        self.cutoff = settings.ligand_cutoff
        self.embedding = nn.Embedding(MAX_ATOMIC_NUMBER + 1, h)
        self.neighbour_embedding = nn.Embedding(MAX_ATOMIC_NUMBER + 1, h)
        self.radial = ExpNorm(k, self.cutoff)
        self.neighbour_weight = EdgeLinear(k, h)
        self.combine = nn.Linear(2 * h, h)
        self.feature = nn.Linear(h, channels, bias=False)
        self.seen = EdgeLinear(6 * channels, h)
        self.distance = EdgeLinear(k, h, bias=False)
        self.edge = nn.Sequential(nn.SiLU(), EdgeLinear(h, h), nn.SiLU())
        self.layers = nn.ModuleList([LigandLayer(h) for _ in range(settings.ligand_layers)])

    def forward(self, z: Tensor, x: Tensor, mask: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
        """Represent ligands of atomic numbers z (B, n) at x (B, n, 3) Å.

        Parameters
        ----------
        mask : Tensor (B, n), bool
            False on padding.
        vec : Tensor (B, n, 3, h)
            Vectors to start from: zero, or a vector input such as a velocity.
        """
        weight = mask.to(x.dtype).unsqueeze(-1)
        centroid = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)
        x = (x - centroid) * weight
        d = length(x.unsqueeze(2) - x.unsqueeze(1))
        pairs = mask.unsqueeze(2) & mask.unsqueeze(1)
        pairs = pairs & ~torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        u = (envelope(d, self.cutoff) * pairs.to(x.dtype)).unsqueeze(1)
        inverse = (1.0 / d).unsqueeze(1)
        rbf = self.radial(d).permute(0, 3, 1, 2)

        w = self.neighbour_weight(rbf) * u
        around = torch.matmul(w, self.neighbour_embedding(z).transpose(1, 2).unsqueeze(-1))
        around = around.squeeze(-1).transpose(1, 2)
        s = self.combine(torch.cat((self.embedding(z), around), dim=-1))

        seen = self.seen(self.scalarize(s, x, u, inverse))
        edges = self.edge(seen + self.distance(rbf)) * u
        for layer in self.layers:
            s, vec = layer(s, vec, edges, x, inverse)
        return s, vec * weight.unsqueeze(-1)

    def scalarize(self, s: Tensor, x: Tensor, u: Tensor, inverse: Tensor) -> Tensor:
        """Project S_i ⊕ S_j on the frame of the pair: (B, 6 channels, n, n) invariants.

        S_i = Σ_j unit(x_i − x_j) ⊗ s_j is the equivariant feature of atom i.
        """
        phi = self.feature(s).transpose(1, 2).unsqueeze(-1)
        feature = pull_together((u * inverse).expand(-1, phi.shape[1], -1, -1), phi, x)
        frames = atom_frames(x)
        own = torch.einsum("bijkc,bhic->bkhij", frames, feature)
        other = torch.einsum("bijkc,bhjc->bkhij", frames, feature)
        return torch.cat((own.flatten(1, 2), other.flatten(1, 2)), dim=1)
