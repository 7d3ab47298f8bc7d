"""One message-passing layer between a ligand's atoms and residues, and its derivative."""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .layers import Activated, KeptUpdate, SummedLinear, VectorUpdate, silu_pullback
from .neighbours import sum_rows
from .settings import BindingNetSettings


class Contacts(NamedTuple):
    """Pairs (E) of a ligand atom and a residue, or pocket atom, within the cutoff.

    Attributes
    ----------
    receiver, residue : Tensor (E,)
        Rows of the atoms of all ligands, and of all residues.
    h_r, d, rbf : Tensor (E, h), (E,), (E, K)
        Representation of the residue, distance to it in Å, basis values.
    direction, frames : Tensor (E, 3, 1), (E, 3, 3)
        unit(x_i − CA_r), and the residue's frame.
    basis, projected : Tensor (E, 4, 1), (E, 3, 1)
        1 and the direction, times the envelope; the direction on the frame.
    """

    receiver: Tensor
    residue: Tensor
    h_r: Tensor
    d: Tensor
    rbf: Tensor
    direction: Tensor
    frames: Tensor
    basis: Tensor
    projected: Tensor


class KeptInteraction(NamedTuple):
    """Intermediate results of `InteractionLayer`, in the order in which they are computed."""

    first: Tensor
    second: Tensor
    feature: Tensor
    third: Tensor
    hidden: Tensor
    w1: Tensor
    vec: Tensor
    update: KeptUpdate


class InteractionLayer(nn.Module):
    """One equivariant message-passing layer between ligand atoms and residues, or pocket atoms.

    h_ir = MLP(s_i + h_r + rbf(d_ir)) times unit(x_i − CA_r), scalarized on the residue frame,
    gives Δs_i = Σ_r w0 and Δvec_i = Σ_r vec_i w1 + unit(x_i − CA_r) w2.
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        h, channels = settings.hidden, settings.vector_channels
        self.hidden = h
        self.radial_weight = nn.Linear(settings.num_radial, h, bias=False)
        self.edge = Activated(nn.Linear(h, h))
        self.feature = nn.Linear(h, channels, bias=False)
        self.axes = nn.Linear(3 * channels, h, bias=False)
        self.weights = nn.ModuleList([nn.SiLU(), SummedLinear(h, 3 * h)])
        self.update = VectorUpdate(h)

    def forward(self, s: Tensor, vec: Tensor, c: Contacts) -> tuple[Tensor, Tensor]:
        """Update s (N, h) and vec (N, 3, h) by the residues around."""
        s, vec, _ = self.keep(s, vec, c)
        return s, vec

    def keep(self, s: Tensor, vec: Tensor, c: Contacts) -> tuple[Tensor, Tensor, KeptInteraction]:
        """See `forward`."""
        first = s.index_select(0, c.receiver) + c.h_r + self.radial_weight(c.rbf)
        h, second = self.edge.keep(first)
        feature = self.feature(h).unsqueeze(1)
        third = h + self.axes((c.projected * feature).flatten(1))
        hidden = self.weights[0](third).unsqueeze(1)
        sums = sum_rows(c.basis * hidden, c.receiver, s.shape[0])
        weights = sum_rows(c.basis, c.receiver, s.shape[0])
        # w0 and w1 are made of the sum without a direction, the new vectors of the other three.
        w = self.weights[1](sums[:, 0], weights[:, 0], 0, 2 * self.hidden)
        external = self.weights[1](sums[:, 1:], weights[:, 1:], 2 * self.hidden, 3 * self.hidden)
        w0, w1 = w[:, : self.hidden], w[:, self.hidden :].unsqueeze(1)
        s_met, vec_met, update = self.update.keep(s + w0, torch.addcmul(vec + external, vec, w1))
        stored = KeptInteraction(first, second, feature, third, hidden, w1, vec, update)
        return s_met, vec_met, stored

    def pullback(
        self, g_s: Tensor, g_vec: Tensor, stored: KeptInteraction, c: Contacts, g: list[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Derivatives by s and vec; those by rbf, basis and projected are added to g."""
        g_rbf, g_basis, g_projected = g
        g_s, g_vec = self.update.pullback(g_s, g_vec, stored.update)
        g_w = torch.cat((g_s, (g_vec * stored.vec).sum(1)), dim=-1).unsqueeze(1)
        h = self.hidden
        along, along_weight = self.weights[1].pullback(g_w, 0, 2 * h)  # type: ignore[operator]
        across, across_weight = self.weights[1].pullback(  # type: ignore[operator]
            g_vec, 2 * h, 3 * h
        )
        g_sums = torch.cat((along, across), dim=1).index_select(0, c.receiver)
        g_weights = torch.cat((along_weight, across_weight), dim=1).index_select(0, c.receiver)
        g_basis.add_((g_sums * stored.hidden).sum(-1, keepdim=True)).add_(g_weights)
        g_third = silu_pullback((g_sums * c.basis).sum(1), stored.third)
        g_seen = torch.matmul(g_third, self.axes.weight).unflatten(1, (3, stored.feature.shape[2]))
        g_projected.add_((g_seen * stored.feature).sum(-1, keepdim=True))
        g_h = torch.addmm(g_third, (g_seen * c.projected).sum(1), self.feature.weight)
        g_first = self.edge.pullback(g_h, stored.first, stored.second)
        g_rbf.addmm_(g_first, self.radial_weight.weight)
        return g_s + sum_rows(g_first, c.receiver, g_s.shape[0]), torch.addcmul(
            g_vec, g_vec, stored.w1
        )
