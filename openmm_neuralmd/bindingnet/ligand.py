"""Atom-level ligand part of BindingNet (paper, 'Atom-level ligand modeling')."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import VectorUpdate, edge_linear, mlp
from .neighbours import neighbours, sum_rows
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import length, pair_frames

MAX_ATOMIC_NUMBER = 118


class LigandLayer(nn.Module):
    """One equivariant message-passing layer.

    Δs_i = Σ_j w0_ij φ0(s_j),  Δvec_i = Σ_j vec_j w1_ij + w2_ij φ1(s_j) unit(x_i − x_j), where
    the weights w are linear in the edge features (no bias, so they vanish at the cutoff).
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        # Three maps instead of one that is split: each result is contiguous.
        self.invariant = edge_linear(hidden, hidden, bias=False)
        self.carry = edge_linear(hidden, hidden, bias=False)
        self.create = edge_linear(hidden, hidden, bias=False)
        self.source = mlp(hidden, hidden, 2 * hidden)
        self.update = VectorUpdate(hidden)

    def forward(
        self,
        s: Tensor,
        vec: Tensor,
        edges: Tensor,
        direction: Tensor,
        receiver: Tensor,
        sender: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Update s (N, h) and vec (N, 3, h).

        `edges` (E, h) carry the envelope, `direction` (E, 3, 1) is unit(x_i − x_j), `receiver` and
        `sender` (E,) are i and j.
        """
        phi0, phi1 = self.source(s).index_select(0, sender).chunk(2, dim=-1)
        ds = sum_rows(self.invariant(edges) * phi0, receiver, s.shape[0])
        carried = self.carry(edges).unsqueeze(1) * vec.index_select(0, sender)
        created = (self.create(edges) * phi1).unsqueeze(1)
        messages = torch.addcmul(carried, direction, created)
        return self.update(s + ds, vec + sum_rows(messages, receiver, s.shape[0]))


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
        self.neighbour_weight = edge_linear(k, h)
        self.combine = nn.Linear(2 * h, h)
        self.feature = nn.Linear(h, channels, bias=False)
        self.seen = edge_linear(6 * channels, h)
        self.distance = edge_linear(k, h, bias=False)
        self.edge = nn.Sequential(nn.SiLU(), edge_linear(h, h), nn.SiLU())
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
        batch, atoms = z.shape
        weight = mask.to(x.dtype).unsqueeze(-1)
        centroid = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)
        x = (x - centroid) * weight
        pairs = (mask.unsqueeze(2) & mask.unsqueeze(1)).triu(1)
        i, j = neighbours(x, x, pairs, self.cutoff)
        receiver, sender = torch.cat((i, j)), torch.cat((j, i))
        z, x, vec = z.flatten(), x.flatten(0, 1), vec.flatten(0, 1)

        # What depends on the distance alone is the same in both directions.
        xi, xj = x.index_select(0, i), x.index_select(0, j)
        d = length(xi - xj)
        direction = (xi - xj) / d.unsqueeze(-1)
        both = torch.cat((direction, -direction)).unsqueeze(2)
        u = envelope(d, self.cutoff).unsqueeze(-1)
        rbf = self.radial(d)

        w = (self.neighbour_weight(rbf) * u).repeat(2, 1)
        near = self.neighbour_embedding(z).index_select(0, sender)
        around = sum_rows(w * near, receiver, len(z))
        s = self.combine(torch.cat((self.embedding(z), around), dim=-1))

        phi = self.feature(s).index_select(0, sender) * u.repeat(2, 1)
        feature = sum_rows(both * phi.unsqueeze(1), receiver, len(z))
        seen = self.scalarize(pair_frames(direction, xi, xj), feature, i, j)
        edges = self.edge(self.seen(seen) + self.distance(rbf).repeat(2, 1)) * u.repeat(2, 1)
        for layer in self.layers:
            s, vec = layer(s, vec, edges, both, receiver, sender)
        vec = vec.unflatten(0, (batch, atoms)) * weight.unsqueeze(-1)
        return s.unflatten(0, (batch, atoms)), vec

    def scalarize(self, frames: Tensor, feature: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Project S_i ⊕ S_j on the frames of pairs i, j, and S_j ⊕ S_i on those of pairs j, i.

        S_i = Σ_j unit(x_i − x_j) ⊗ s_j (N, 3, channels) is the equivariant feature of atom i.
        Seen from the other atom the first two axes of a frame are turned round.

        Returns
        -------
        Tensor (2 E, 6 channels)
            Invariants.
        """
        own = torch.matmul(frames, feature.index_select(0, i))
        other = torch.matmul(frames, feature.index_select(0, j))
        here = torch.stack((own, other), dim=1)
        there = torch.cat((-here[:, :, :2], here[:, :, 2:]), dim=2).flip(1)
        return torch.cat((here, there)).flatten(1)
