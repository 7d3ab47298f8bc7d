"""SE(3)-equivariant message passing over a ligand and the heavy atoms of its pocket.

Every ligand atom carries invariants s (h) and vectors v (3, c).  A message along an edge of
direction e from atom j adds w0 to s and v_j w1 + e w2 to v, where the weights depend on the
invariants at both ends, the distance and the chemistry of the edge.  Pocket atoms send and do not
receive: they have no vectors.  A cross product of vectors makes the network see chirality.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from .chemistry import ATOM_FEATURES
from .layers import MLP
from .pocket import POCKET_FEATURES
from .radial import ExpNorm, envelope
from .structure import (
    CONTACT_FEATURES,
    LIGAND_CUTOFF,
    LIGAND_EDGE_FEATURES,
    POCKET_CUTOFF,
    Structure,
)
from .vector_frames import length


class StructureNetSettings(BaseModel):
    """Sizes of the network.

    Attributes
    ----------
    hidden : int
        Width h of the invariants.
    vectors : int
        Vector channels c.
    layers : int
        Message-passing layers.
    num_radial : int
        Radial basis functions.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int = Field(48, ge=4)
    vectors: int = Field(16, ge=1)
    layers: int = Field(2, ge=1)
    num_radial: int = Field(16, ge=2)


class Encoding(NamedTuple):
    """Representation of each atom.

    Attributes
    ----------
    s : Tensor (n, h)
        Invariants of the ligand's atoms.
    v : Tensor (n, 3, c)
        Vectors of the ligand's atoms.
    pocket : Tensor (p, h)
        Invariants of the pocket's atoms.
    """

    s: Tensor
    v: Tensor
    pocket: Tensor


class _Messages(nn.Module):
    """Sum over edges of w0 (h), v_j w1 and e w2 (3, c) at every receiving atom."""

    def __init__(self, settings: StructureNetSettings, features: int, vectors: bool) -> None:
        super().__init__()
        h, c = settings.hidden, settings.vectors
        self.sizes = [h, c, c] if vectors else [h, c]
        self.sender = nn.Linear(h, h)
        self.receiver = nn.Linear(h, h, bias=False)
        self.edge = nn.Linear(settings.num_radial + features, h)
        self.weights = nn.Sequential(nn.SiLU(), nn.Linear(h, sum(self.sizes)))

    def forward(
        self,
        to: tuple[Tensor, Tensor | None, Tensor],
        sender: Tensor,
        edge: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Messages to atoms with (s, v, index of the receiver), from invariants of the senders.

        `edge` has features (E, f), directions (E, 3) and the envelope (E, 1).
        """
        (s, v, index), (features, direction, u) = to, edge
        hidden = self.sender(sender) + self.receiver(s)[index[0]] + self.edge(features)
        parts = torch.split(self.weights(hidden) * u, self.sizes, dim=-1)
        vectors = direction.unsqueeze(-1) * parts[-1].unsqueeze(1)
        if v is not None and len(parts) == 3:
            vectors = vectors + v[index[1]] * parts[1].unsqueeze(1)
        ds = torch.zeros_like(s).index_add(0, index[0], parts[0])
        dv = torch.zeros(len(s), 3, self.sizes[-1], dtype=s.dtype, device=s.device)
        return ds, dv.index_add(0, index[0], vectors)


class _Update(nn.Module):
    """Mix invariants and vectors of one atom."""

    def __init__(self, settings: StructureNetSettings) -> None:
        super().__init__()
        h, c = settings.hidden, settings.vectors
        self.left = nn.Linear(c, c, bias=False)
        self.right = nn.Linear(c, c, bias=False)
        self.mix = MLP(h + 2 * c, h, h + 2 * c)
        self.sizes = [h, c, c]
        self.norm = nn.LayerNorm(h)

    def forward(self, s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        left, right = self.left(v), self.right(v)
        seen = torch.cat((s, length(left.transpose(1, 2)), (left * right).sum(1)), dim=-1)
        ds, gate, turn = torch.split(self.mix(seen), self.sizes, dim=-1)
        across = torch.linalg.cross(left, right, dim=1) * turn.unsqueeze(1)
        size = length(across.transpose(1, 2), 1.0).unsqueeze(1)
        return self.norm(s + ds), v + right * torch.tanh(gate).unsqueeze(1) + across / size


class StructureNet(nn.Module):
    """The network; evaluated once per structure.

    Parameters
    ----------
    settings : StructureNetSettings
    """

    def __init__(self, settings: StructureNetSettings) -> None:
        super().__init__()
        self.vectors = settings.vectors
        h = settings.hidden
        self.ligand_radial = ExpNorm(settings.num_radial, LIGAND_CUTOFF)
        self.pocket_radial = ExpNorm(settings.num_radial, POCKET_CUTOFF)
        self.atom = MLP(ATOM_FEATURES, h, h)
        self.pocket = MLP(POCKET_FEATURES, h, h)
        layers = range(settings.layers)
        self.bonded = nn.ModuleList(
            [_Messages(settings, LIGAND_EDGE_FEATURES, vectors=True) for _ in layers]
        )
        self.contact = nn.ModuleList(
            [_Messages(settings, CONTACT_FEATURES, vectors=False) for _ in layers]
        )
        self.update = nn.ModuleList([_Update(settings) for _ in layers])

    def forward(self, c: Structure) -> Encoding:
        """Encode a structure."""
        s, pocket = self.atom(c.atoms), self.pocket(c.pocket)
        v = torch.zeros(len(s), 3, self.vectors, dtype=s.dtype, device=s.device)
        ligand = _edge(c.edge_vectors, c.edge_features, self.ligand_radial, LIGAND_CUTOFF)
        contact = _edge(c.contact_vectors, c.contact_features, self.pocket_radial, POCKET_CUTOFF)
        for bonded, meet, update in zip(self.bonded, self.contact, self.update):
            inner, inner_v = bonded((s, v, c.edges), s[c.edges[1]], ligand)
            outer, outer_v = meet((s, None, c.contacts), pocket[c.contacts[1]], contact)
            # Some 10 ligand atoms and 50 pocket atoms send: sums of the size of one message.
            s = s + inner / 4.0 + outer / 10.0
            v = v + inner_v / 4.0 + outer_v / 10.0
            s, v = update(s, v)
        return Encoding(s, v, pocket)


def _edge(
    vectors: Tensor, features: Tensor, radial: ExpNorm, cutoff: float
) -> tuple[Tensor, Tensor, Tensor]:
    d = length(vectors)
    columns = torch.cat((radial(d), features), dim=-1)
    return columns, vectors / d.unsqueeze(-1), envelope(d, cutoff).unsqueeze(-1)
