"""Backbone-level protein part of BindingNet (paper, 'Backbone-level protein modeling').

For a rigid protein this runs once; its result is an input of every step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import gather_rows, mlp
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import backbone_frames, unit

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
        self.cutoff = settings.backbone_cutoff
        self.neighbours = settings.backbone_neighbours
        self.atom_embedding = nn.Embedding(NUM_BACKBONE_ATOMS, h)
        self.neighbour_embedding = nn.Embedding(NUM_BACKBONE_ATOMS, h)
        self.type_embedding = nn.Embedding(NUM_RESIDUE_TYPES, h)
        self.radial = ExpNorm(k, self.cutoff)
        self.neighbour_weight = nn.Linear(k, h)
        self.combine = nn.Linear(2 * h, h)
        self.feature = nn.Linear(h, channels, bias=False)
        self.edge = mlp(2 * 6 * channels, h, h)
        self.norm = nn.LayerNorm(h)
        self.output = mlp(2 * h, h, h)

    def forward(self, residue_type: Tensor, backbone: Tensor, mask: Tensor) -> Tensor:
        """Encode residues of types (B, R) with backbone N, Cα, C at (B, R, 3, 3) Å.

        Parameters
        ----------
        mask : Tensor (B, R), bool
            False on padding.
        """
        batch, residues, atoms, _ = backbone.shape
        x = backbone.flatten(1, 2)
        index, d, u = self.neighbour_list(x, mask.repeat_interleave(atoms, dim=1))
        kind = torch.arange(atoms, device=x.device).repeat(residues).expand(batch, -1)

        w = self.neighbour_weight(self.radial(d)) * u.unsqueeze(-1)
        around = (w * self.neighbour_embedding(index % atoms)).sum(2)
        z = self.combine(torch.cat((self.atom_embedding(kind), around), dim=-1))

        direction = unit(x.unsqueeze(2) - gather_rows(x, index)) * u.unsqueeze(-1)
        phi = gather_rows(self.feature(z), index)
        feature = torch.einsum("bpkc,bpkh->bpch", direction, phi)
        feature = feature.view(batch, residues, atoms, 3, phi.shape[-1])

        frames = backbone_frames(backbone[:, :, 0], backbone[:, :, 1], backbone[:, :, 2])
        # (B, R, atom, axis, channel): the edges N→Cα and Cα→C see both of their ends.
        seen = torch.einsum("brkc,brach->brakh", frames, feature)
        edges = torch.cat((seen[:, :, 0:2], seen[:, :, 1:3]), dim=-1).flatten(2)
        h = torch.cat((self.norm(self.edge(edges)), self.type_embedding(residue_type)), dim=-1)
        return self.output(h) * mask.to(x.dtype).unsqueeze(-1)

    def neighbour_list(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nearest backbone atoms: indices (B, P, K), distances in Å, envelope (0 where none).

        Where more than K atoms are within the cutoff the K nearest are taken, and the envelope
        is stretched to end at the next one, so the result stays continuous.
        """
        d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        far = torch.full_like(d, 1e6)
        valid = mask.unsqueeze(2) & mask.unsqueeze(1)
        valid = valid & ~torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        capacity = min(self.neighbours, x.shape[1] - 1)
        near, index = torch.where(valid, d, far).topk(capacity + 1, dim=-1, largest=False)
        reach = near[:, :, capacity:].clamp(max=self.cutoff)
        near, index = near[:, :, :capacity], index[:, :, :capacity]
        u = envelope(near / reach, 1.0)
        return index, near.clamp(max=self.cutoff), u
