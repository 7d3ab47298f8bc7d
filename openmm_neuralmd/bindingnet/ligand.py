"""Atom-level ligand part of BindingNet (paper, 'Atom-level ligand modeling')."""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layers import Activated, edge_linear
from .ligand_layer import KeptLigandLayer, LigandLayer, LigandPairs
from .neighbours import neighbours, sum_rows
from .radial import ExpNorm, envelope, envelope_slope
from .settings import BindingNetSettings
from .vector_frames import length, pair_frames, pair_frames_pullback, unit_pullback

MAX_ATOMIC_NUMBER = 118


class KeptEdges(NamedTuple):
    """Intermediate results of `LigandNet.embed`, in the order in which they are computed."""

    near: Tensor
    w: Tensor
    phi: Tensor
    frames: Tensor
    features: Tensor
    first: Tensor
    second: Tensor
    edges: Tensor


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
        self.channels = channels
        self.cutoff = settings.ligand_cutoff
        self.embedding = nn.Embedding(MAX_ATOMIC_NUMBER + 1, h)
        self.neighbour_embedding = nn.Embedding(MAX_ATOMIC_NUMBER + 1, h)
        self.radial = ExpNorm(k, self.cutoff)
        self.neighbour_weight = edge_linear(k, h)
        self.combine = nn.Linear(2 * h, h)
        self.feature = nn.Linear(h, channels, bias=False)
        self.seen = edge_linear(6 * channels, h)
        self.distance = edge_linear(k, h, bias=False)
        self.edge = Activated(edge_linear(h, h))
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
        p = self.pairs(x, mask)
        s, stored = self.embed(z.flatten(), p)
        edges, vec = stored.edges * p.u, vec.flatten(0, 1)
        for layer in self.layers:
            s, vec = layer(s, vec, edges, p)
        return s.unflatten(0, x.shape[:2]), vec.unflatten(0, x.shape[:2]) * p.weight.unsqueeze(-1)

    def keep(
        self, z: Tensor, x: Tensor, mask: Tensor, vec: Tensor
    ) -> tuple[Tensor, Tensor, LigandPairs, KeptEdges, list[KeptLigandLayer]]:
        """See `forward`; what follows the vectors is for `pullback`."""
        p = self.pairs(x, mask)
        s, stored = self.embed(z.flatten(), p)
        edges, vec = stored.edges * p.u, vec.flatten(0, 1)
        layers: list[KeptLigandLayer] = []
        for layer in self.layers:
            s, vec, of_layer = layer.keep(s, vec, edges, p)  # type: ignore[operator]
            layers.append(of_layer)
        vec = vec.unflatten(0, x.shape[:2]) * p.weight.unsqueeze(-1)
        return s.unflatten(0, x.shape[:2]), vec, p, stored, layers

    def pairs(self, x: Tensor, mask: Tensor) -> LigandPairs:
        """List the pairs of ligands at x (B, n, 3) Å."""
        weight = mask.to(x.dtype).unsqueeze(-1)
        centroid = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)
        x = (x - centroid) * weight
        i, j = neighbours(x, x, (mask.unsqueeze(2) & mask.unsqueeze(1)).triu(1), self.cutoff)
        x = x.flatten(0, 1)
        # What depends on the distance alone is the same in both directions.
        xi, xj = x.index_select(0, i), x.index_select(0, j)
        d = length(xi - xj)
        direction = (xi - xj) / d.unsqueeze(-1)
        both = torch.cat((direction, -direction)).unsqueeze(2)
        u = envelope(d, self.cutoff).unsqueeze(-1).repeat(2, 1)
        receiver, sender = torch.cat((i, j)), torch.cat((j, i))
        return LigandPairs(weight, receiver, sender, xi, xj, d, u, self.radial(d), both)

    def embed(self, z: Tensor, p: LigandPairs) -> tuple[Tensor, KeptEdges]:
        """Invariants (N, h) of atoms z (N,) before the layers, and edges without their envelope."""
        w = self.neighbour_weight(p.rbf).repeat(2, 1)
        near = self.neighbour_embedding(z).index_select(0, p.sender)
        around = sum_rows(w * p.u * near, p.receiver, len(z))
        s = self.combine(torch.cat((self.embedding(z), around), dim=-1))

        phi = self.feature(s).index_select(0, p.sender)
        sent = p.direction * (phi * p.u).unsqueeze(1)
        features = sum_rows(sent, p.receiver, len(z)).index_select(0, p.receiver)
        frames = pair_frames(p.direction[: len(p.d), :, 0], p.xi, p.xj)
        # S_i ⊕ S_j on the frame of i, j and S_j ⊕ S_i on that of j, i, where
        # S_i = Σ_j unit(x_i − x_j) ⊗ s_j (N, 3, channels) is the equivariant feature of atom i.
        projected = torch.matmul(frames.repeat(2, 1, 1), features)
        here = projected.unflatten(0, (2, len(p.d))).transpose(0, 1)
        first = self.seen(torch.cat((here, turned(here))).flatten(1))
        first = first + self.distance(p.rbf).repeat(2, 1)
        edges, second = self.edge.keep(first)
        return s, KeptEdges(near, w, phi, frames, features, first, second, edges)

    def pullback(
        self,
        g_s: Tensor,
        g_vec: Tensor,
        p: LigandPairs,
        stored: KeptEdges,
        layers: list[KeptLigandLayer],
    ) -> Tensor:
        """Derivative (B, n, 3) by the coordinates, where the first vectors are constant."""
        g_s, g_vec = g_s.flatten(0, 1), (g_vec * p.weight.unsqueeze(-1)).flatten(0, 1)
        g_edges, g_direction = torch.zeros_like(stored.edges), torch.zeros_like(p.direction)
        # TorchScript unrolls loops over modules, in their own order only.
        for last in range(len(layers) - 1, -1, -1):
            for number, layer in enumerate(self.layers):
                if number == last:
                    g_s, g_vec = layer.pullback(  # type: ignore[operator]
                        g_s, g_vec, layers[number], p, g_edges, g_direction
                    )
        return self.pairs_pullback(*self.embed_pullback(g_s, g_edges, g_direction, p, stored), p)

    def embed_pullback(
        self, g_s: Tensor, g_edges: Tensor, g_direction: Tensor, p: LigandPairs, stored: KeptEdges
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Derivatives by direction, envelope (2 E, 1), basis values, and frames (E, 3, 3)."""
        pairs, rows = len(p.d), g_s.shape[0]
        g_u = (g_edges * stored.edges).sum(-1, keepdim=True)
        g_first = self.edge.pullback(g_edges * p.u, stored.first, stored.second)
        g_rbf = torch.matmul(folded(g_first), self.distance.weight)
        g_seen = torch.matmul(g_first, self.seen.weight).unflatten(1, (2, 3, self.channels))
        g_here = g_seen[:pairs] + turned(g_seen[pairs:])
        g_projected = g_here.transpose(0, 1).flatten(0, 1)
        g_frames = folded(torch.matmul(g_projected, stored.features.transpose(1, 2)))
        back = torch.matmul(stored.frames.transpose(1, 2).repeat(2, 1, 1), g_projected)
        g_sent = sum_rows(back, p.receiver, rows).index_select(0, p.receiver)

        g_phi = (g_sent * p.direction).sum(1)
        g_direction = g_direction + torch.matmul(g_sent, (stored.phi * p.u).unsqueeze(2))
        g_u = g_u + (g_phi * stored.phi).sum(-1, keepdim=True)
        g_feature = sum_rows(g_phi * p.u, p.sender, rows)
        g_s = torch.addmm(g_s, g_feature, self.feature.weight)

        g_around = torch.matmul(g_s, self.combine.weight[:, self.hidden :])
        g_w = g_around.index_select(0, p.receiver) * stored.near
        g_u = g_u + (g_w * stored.w).sum(-1, keepdim=True)
        g_rbf = torch.addmm(g_rbf, folded(g_w * p.u), self.neighbour_weight.weight)
        return g_direction, g_u, g_rbf, g_frames

    def pairs_pullback(
        self, g_direction: Tensor, g_u: Tensor, g_rbf: Tensor, g_frames: Tensor, p: LigandPairs
    ) -> Tensor:
        """Derivative (B, n, 3) by the coordinates."""
        direction = p.direction[: len(p.d), :, 0]
        frames = pair_frames(direction, p.xi, p.xj)
        g_axis, g_xi, g_xj = pair_frames_pullback(g_frames, frames, p.xi, p.xj)
        g_d = self.radial.pullback(g_rbf, p.d, p.rbf)
        g_d = g_d + folded(g_u)[:, 0] * envelope_slope(p.d, self.cutoff)
        g_axis = g_axis + (g_direction[: len(p.d)] - g_direction[len(p.d) :])[:, :, 0]
        g_r = unit_pullback(g_axis, direction, p.d) + g_d.unsqueeze(-1) * direction
        g = sum_rows(torch.cat((g_xi + g_r, g_xj - g_r)), p.receiver, p.weight[:, :, 0].numel())
        g = g.unflatten(0, p.weight.shape[:2]) * p.weight
        mean = g.sum(1, keepdim=True) / p.weight.sum(1, keepdim=True).clamp(min=1.0)
        return g - mean * p.weight


def turned(seen: Tensor) -> Tensor:
    """Projections (E, 2, 3, c) on the frames of pairs, as the other atom of each pair has them.

    From there the first two axes of a frame are turned round.
    """
    return torch.cat((-seen[:, :, :2], seen[:, :, 2:]), dim=2).flip(1)


def folded(g: Tensor) -> Tensor:
    """Sum of both directions of each pair: the pullback of `repeat`."""
    half = g.shape[0] // 2
    return g[:half] + g[half:]
