"""One message-passing layer between a ligand's atoms, and its derivative."""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layers import MLP, KeptUpdate, VectorUpdate, edge_linear
from .neighbours import sum_rows


class LigandPairs(NamedTuple):
    """Pairs of ligand atoms (E) within the cutoff, each in both directions where it says 2 E.

    Attributes
    ----------
    weight : Tensor (B, n, 1)
        0 on padding.
    receiver, sender : Tensor (2 E,)
        Rows i and j of the atoms of all ligands: pairs i < j, then the same turned round.
    xi, xj : Tensor (E, 3)
        Å, from the centroid.
    d, u, rbf, direction : Tensor (E,), (2 E, 1), (E, K), (2 E, 3, 1)
        Distance in Å, envelope, basis values and unit(x_i − x_j).
    """

    weight: Tensor
    receiver: Tensor
    sender: Tensor
    xi: Tensor
    xj: Tensor
    d: Tensor
    u: Tensor
    rbf: Tensor
    direction: Tensor


class KeptLigandLayer(NamedTuple):
    """Intermediate results of `LigandLayer`: weights and sources of the messages, and the update's.

    They are in the order of `LigandLayer`'s equation.
    """

    w0: Tensor
    phi0: Tensor
    vec: Tensor
    w1: Tensor
    w2: Tensor
    phi1: Tensor
    created: Tensor
    hidden: Tensor
    update: KeptUpdate


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
        self.source = MLP(hidden, hidden, 2 * hidden)
        self.update = VectorUpdate(hidden)

    def forward(
        self, s: Tensor, vec: Tensor, edges: Tensor, p: LigandPairs
    ) -> tuple[Tensor, Tensor]:
        """Update s (N, h) and vec (N, 3, h) with edges (2 E, h), which carry the envelope."""
        s, vec, _ = self.keep(s, vec, edges, p)
        return s, vec

    def keep(
        self, s: Tensor, vec: Tensor, edges: Tensor, p: LigandPairs
    ) -> tuple[Tensor, Tensor, KeptLigandLayer]:
        """See `forward`."""
        source, hidden = self.source.keep(s)
        phi0, phi1 = source.index_select(0, p.sender).chunk(2, dim=-1)
        w0, w1, w2 = self.invariant(edges), self.carry(edges), self.create(edges)
        ds = sum_rows(w0 * phi0, p.receiver, s.shape[0])
        sent = vec.index_select(0, p.sender)
        created = (w2 * phi1).unsqueeze(1)
        messages = torch.addcmul(w1.unsqueeze(1) * sent, p.direction, created)
        s, vec, update = self.update.keep(s + ds, vec + sum_rows(messages, p.receiver, s.shape[0]))
        return s, vec, KeptLigandLayer(w0, phi0, sent, w1, w2, phi1, created, hidden, update)

    def pullback(
        self,
        g_s: Tensor,
        g_vec: Tensor,
        stored: KeptLigandLayer,
        p: LigandPairs,
        g_edges: Tensor,
        g_direction: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Derivatives by s and vec; those by edges and direction are added to the last two."""
        g_s, g_vec = self.update.pullback(g_s, g_vec, stored.update)
        g_ds, g_messages = g_s.index_select(0, p.receiver), g_vec.index_select(0, p.receiver)
        g_created = (g_messages * p.direction).sum(1)
        g_edges.addmm_(g_ds * stored.phi0, self.invariant.weight)
        g_edges.addmm_((g_messages * stored.vec).sum(1), self.carry.weight)
        g_edges.addmm_(g_created * stored.phi1, self.create.weight)
        g_direction.add_((g_messages * stored.created).sum(-1, keepdim=True))
        sources = torch.cat((g_ds * stored.w0, g_created * stored.w2), dim=-1)
        g_source = sum_rows(sources, p.sender, g_s.shape[0])
        carried = sum_rows(g_messages * stored.w1.unsqueeze(1), p.sender, g_s.shape[0])
        return g_s + self.source.pullback(g_source, stored.hidden), g_vec + carried
