"""Network heads for the springs of a ligand: stiffness, rest length, forces, wells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..bindingnet.layers import MLP
from ..bindingnet.radial import ExpNorm
from ..bindingnet.structure import CONTACT_FEATURES, POCKET_CUTOFF, Structure
from ..bindingnet.structure_network import Encoding, StructureNet, StructureNetSettings
from .internal_coordinates import CLASSES
from .springs import Springs

TORSIONS = 3
"""Index of the first torsion class in `CLASSES`; the classes up to the pairs are torsions."""


class HeadSettings(BaseModel):
    """Limits of the network's corrections to the class constants.

    Attributes
    ----------
    stiffness_range : float
        Largest change of ln k of one spring.
    scale_range : float
        Largest change of ln k of all contacts of a ligand together.
    shift : float
        Å (rad for torsions); largest change of a spring's rest length.
    force : float
        kT/Å; largest force on an atom beside the springs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stiffness_range: float = Field(2.0, gt=0)
    scale_range: float = Field(1.0, ge=0)
    shift: float = Field(0.7, ge=0)
    force: float = Field(4.0, ge=0)


class Corrections(NamedTuple):
    """Corrections of one member of the network to the class constants.

    Attributes
    ----------
    inner, contact, anchor : Tensor (c,), (C,), (n,)
        Added to ln k of internal coordinates, contacts and anchors.
    inner_shift, contact_shift : Tensor (c,), (C,)
        Change of rest lengths, Å or rad.
    force : Tensor (n, 3)
        kT/Å.
    wells : Tensor (c, 2)
        Logits of leaving a torsion's well by ±120° and by 180°, of each internal coordinate.
    freedom : Tensor ()
        Added to ln ν: with a network the scale is known better.
    """

    inner: Tensor
    contact: Tensor
    anchor: Tensor
    inner_shift: Tensor
    contact_shift: Tensor
    force: Tensor
    wells: Tensor
    freedom: Tensor


class Member(nn.Module):
    """One network with its heads, all of which give zero before training."""

    def __init__(self, network: StructureNetSettings, settings: HeadSettings) -> None:
        super().__init__()
        self.settings = settings
        h, c = network.hidden, network.vectors
        self.network = StructureNet(network)
        self.radial = ExpNorm(network.num_radial, POCKET_CUTOFF)
        self.inner = MLP(2 * h + len(CLASSES) + network.num_radial, h, 4)
        self.contact = MLP(2 * h + network.num_radial + CONTACT_FEATURES + c, h, 2)
        self.anchor = MLP(h, h, 1)
        self.scale = MLP(h, h, 1)
        self.force = nn.Linear(c, 1, bias=False)
        self.wells = MLP(2 * h + len(CLASSES), h, 2)
        for head in (self.inner, self.contact, self.anchor, self.scale, self.wells):
            nn.init.zeros_(head[-1].weight)  # type: ignore[arg-type]
            nn.init.zeros_(head[-1].bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.force.weight)
        self.freedom = nn.Parameter(torch.zeros(()))

    def forward(self, c: Springs) -> Corrections:
        """Corrections for one complex."""
        precise = c.gradients.dtype
        c = _cast(c, self.force.weight.dtype)
        encoding = self.network(c.structure)
        s, span = encoding.s, self.settings.stiffness_range
        inner, inner_shift, wells = self._inner(c, s)
        contact = self._contact(c, encoding)
        common = self.settings.scale_range * torch.tanh(self.scale(s).mean())
        force = self.force(encoding.v).squeeze(-1)
        correction = Corrections(
            inner=_bounded(inner, span),
            contact=_bounded(contact[:, 0], span) + common,
            anchor=_bounded(self.anchor(s).squeeze(-1), span) + common,
            inner_shift=inner_shift,
            contact_shift=_bounded(contact[:, 1], self.settings.shift),
            force=_bounded_vectors(force, self.settings.force),
            wells=wells,
            freedom=self.freedom,
        )
        return Corrections(*(part.to(precise) for part in correction))

    def _inner(self, c: Springs, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """ln k, rest length and well logits of the internal coordinates."""
        ends = s[c.atoms[:, 0]] + s[c.atoms[:, 3]]
        middle = s[c.atoms[:, 1]] + s[c.atoms[:, 2]]
        kinds = torch.nn.functional.one_hot(c.kind, len(CLASSES)).to(s.dtype)
        x = c.structure.x
        radial = self.radial(torch.linalg.vector_norm(x[c.atoms[:, 0]] - x[c.atoms[:, 3]], dim=-1))
        out = self.inner(torch.cat((ends, middle, kinds, radial), dim=-1))
        torsion = (c.kind >= TORSIONS) & (c.kind < len(CLASSES) - 2)
        pair = c.kind >= len(CLASSES) - 2
        order = torch.arange(1, 4, dtype=s.dtype)
        # A torsion's angle changes its sign in the mirror, and so does this shift.
        swing = (torch.sin(order * c.values.unsqueeze(-1)) * out[:, 1:]).sum(-1)
        raw = torch.where(torsion, swing, torch.where(pair, out[:, 1], torch.zeros_like(swing)))
        wells = self.wells(torch.cat((ends, middle, kinds), dim=-1))
        return out[:, 0], _bounded(raw, self.settings.shift), wells

    def _contact(self, c: Springs, encoding: Encoding) -> Tensor:
        """ln k and rest length (C, 2) of the contacts, before they are bounded."""
        atom, other = c.structure.contacts
        distance = torch.linalg.vector_norm(c.structure.contact_vectors, dim=-1)
        along = (encoding.v[atom] * c.directions.unsqueeze(-1)).sum(1)
        columns = (
            encoding.s[atom],
            encoding.pocket[other],
            self.radial(distance),
            c.structure.contact_features,
            along,
        )
        out: Tensor = self.contact(torch.cat(columns, dim=-1))
        return out


def average(members: Sequence[Corrections]) -> Corrections:
    """Mean of the corrections of several members: geometric mean of stiffnesses."""
    return Corrections(*(torch.stack(parts).mean(0) for parts in zip(*members)))


def _cast(c: Springs, dtype: torch.dtype) -> Springs:
    """Convert the network's input to its own precision; H stays in that of the springs."""
    structure = Structure(*(t.to(dtype) if t.is_floating_point() else t for t in c.structure))
    return c._replace(
        structure=structure, values=c.values.to(dtype), directions=c.directions.to(dtype)
    )


def _bounded(x: Tensor, largest: float) -> Tensor:
    return largest * torch.tanh(x / largest) if largest > 0 else torch.zeros_like(x)


def _bounded_vectors(v: Tensor, largest: float) -> Tensor:
    if largest <= 0:
        return torch.zeros_like(v)
    return v / torch.sqrt(1.0 + (v * v).sum(-1, keepdim=True) / largest**2)
