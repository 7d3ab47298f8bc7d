"""Backbone-level protein part of BindingNet (paper, 'Backbone-level protein modeling').

For a rigid protein this runs once; its result is an input of every step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import MLP, SummedLinear
from .neighbours import neighbours, sum_rows
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import backbone_frames, length, unit

NUM_RESIDUE_TYPES = 21
NUM_BACKBONE_ATOMS = 3


class ProteinNet(nn.Module):
    """Invariant representation h_r (B, R, h) of every residue.

    Parameters
    ----------
    settings : BindingNetSettings
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        h, k, channels = settings.hidden, settings.num_radial, settings.vector_channels
        self.hidden = h
        self.cutoff = settings.backbone_cutoff
        self.neighbours = settings.backbone_neighbours
        self.atom_embedding = nn.Embedding(NUM_BACKBONE_ATOMS, h)
        self.neighbour_embedding = nn.Embedding(NUM_BACKBONE_ATOMS, h)
        self.type_embedding = nn.Embedding(NUM_RESIDUE_TYPES, h)
        self.radial = ExpNorm(k, self.cutoff)
        self.neighbour_weight = SummedLinear(k, h)
        self.combine = nn.Linear(2 * h, h)
        self.feature = nn.Linear(h, channels, bias=False)
        self.edge = MLP(2 * 6 * channels, h, h)
        self.norm = nn.LayerNorm(h)
        self.output = MLP(2 * h, h, h)

    def forward(self, residue_type: Tensor, backbone: Tensor, mask: Tensor) -> Tensor:
        """Encode residues of types (B, R) with backbone N, Cα, C at (B, R, 3, 3) Å.

        Parameters
        ----------
        mask : Tensor (B, R), bool
            False on padding.
        """
        batch, residues, atoms, _ = backbone.shape
        points = batch * residues * atoms
        receiver, sender, u = self.neighbour_list(
            backbone.flatten(1, 2), mask.repeat_interleave(atoms, dim=1)
        )
        x, u = backbone.flatten(0, 2), u.unsqueeze(-1)
        away = x.index_select(0, receiver) - x.index_select(0, sender)

        # Neighbours of one kind share an embedding, so that their weights can be summed first.
        kind = receiver * atoms + sender % atoms
        sums = sum_rows(self.radial(length(away)) * u, kind, points * atoms)
        weights = sum_rows(u, kind, points * atoms)
        w = self.neighbour_weight(sums, weights, 0, self.hidden)
        around = (w.unflatten(0, (points, atoms)) * self.neighbour_embedding.weight).sum(1)
        own = self.atom_embedding.weight.repeat(batch * residues, 1)
        z = self.combine(torch.cat((own, around), dim=-1))

        phi = self.feature(z).index_select(0, sender).unsqueeze(1)
        feature = sum_rows((unit(away) * u).unsqueeze(2) * phi, receiver, points)
        feature = feature.view(batch, residues, atoms, 3, phi.shape[-1])

        frames = backbone_frames(backbone[:, :, 0], backbone[:, :, 1], backbone[:, :, 2])
        # (B, R, atom, axis, channel): the edges N→Cα and Cα→C see both of their ends.
        seen = torch.einsum("brkc,brach->brakh", frames, feature)
        edges = torch.cat((seen[:, :, 0:2], seen[:, :, 1:3]), dim=-1).flatten(2)
        h = torch.cat((self.norm(self.edge(edges)), self.type_embedding(residue_type)), dim=-1)
        return self.output(h) * mask.to(x.dtype).unsqueeze(-1)

    def neighbour_list(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pairs of backbone atoms: receiver and sender (E,) in `x.flatten(0, 1)`, envelope (E,).

        Where more than K atoms are within the cutoff the K nearest are taken, and the envelope
        is stretched to end at the next one, so the result stays continuous.
        """
        valid = mask.unsqueeze(2) & mask.unsqueeze(1)
        valid = valid & ~torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        receiver, sender = neighbours(x, x, valid, self.cutoff)
        x = x.flatten(0, 1)
        d = length(x.index_select(0, receiver) - x.index_select(0, sender))

        # Sorted by atom and then by distance, the place in an atom's own stretch is the rank.
        # Not a number comes first, so that it is among the nearest and goes on.
        order = torch.argsort(2.0 * self.cutoff * receiver + d.detach().double().nan_to_num(0.0))
        receiver, sender, d = receiver[order], sender[order], d[order]
        count = torch.bincount(receiver, minlength=len(x))
        rank = torch.arange(len(d), device=x.device) - (count.cumsum(0) - count)[receiver]
        next_one = rank == self.neighbours
        reach = torch.full_like(x[:, 0], self.cutoff).index_put((receiver[next_one],), d[next_one])
        near = rank < self.neighbours
        receiver, sender, d = receiver[near], sender[near], d[near]
        return receiver, sender, envelope(d / reach[receiver], 1.0)
