"""Residue-level complex part of BindingNet (paper, 'Residue-Level Complex Modeling')."""

# No postponed annotations: TorchScript does not read them in nested tuples.

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .interaction_layer import Contacts, InteractionLayer, KeptInteraction
from .neighbours import neighbours, sum_rows
from .radial import ExpNorm, envelope, envelope_slope
from .settings import BindingNetSettings
from .vector_frames import length, unit_pullback


class Places(NamedTuple):
    """Derivatives by ligand atoms (B, n, 3), Cα or pocket atoms (B, R, 3), frames (B, R, 3, 3)."""

    x: Tensor
    ca: Tensor
    frames: Tensor


class InteractionNet(nn.Module):
    """Invariants and vectors of the ligand's atoms after they have met the protein.

    Parameters
    ----------
    settings : BindingNetSettings
    cutoff : float
        Å, ligand atom to Cα or pocket atom.
    capacity : int
        Most of them within the cutoff.
    """

    def __init__(self, settings: BindingNetSettings, cutoff: float, capacity: int) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.capacity = capacity
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

        An atom with more than `capacity` residues within the cutoff is in no structure that a
        model knows.  Its invariants are NaN: an exception would force a GPU to synchronise.
        `ForceModule` (simulation/export.py) words it for people.

        Parameters
        ----------
        x : Tensor (B, n, 3)
            Ligand coordinates, Å.
        h_r, ca, frames, mask : Tensor (B, R, h), (B, R, 3), (B, R, 3, 3), (B, R)
            Residues: representation, Cα in Å, residue frame, False on padding.
        """
        c = self.contacts(x, h_r, ca, frames, mask)
        s, vec = self.checked(s.flatten(0, 1), c.receiver), vec.flatten(0, 1)
        for layer in self.layers:
            s, vec = layer(s, vec, c)
        return s.unflatten(0, x.shape[:2]), vec.unflatten(0, x.shape[:2])

    def keep(
        self, s: Tensor, vec: Tensor, c: Contacts
    ) -> tuple[Tensor, Tensor, list[KeptInteraction]]:
        """See `forward`, with `contacts`; what follows the vectors is for `pullback`."""
        shape = s.shape[:2]
        s, vec = self.checked(s.flatten(0, 1), c.receiver), vec.flatten(0, 1)
        layers: list[KeptInteraction] = []
        for layer in self.layers:
            s, vec, stored = layer.keep(s, vec, c)  # type: ignore[operator]
            layers.append(stored)
        return s.unflatten(0, shape), vec.unflatten(0, shape), layers

    def contacts(
        self, x: Tensor, h_r: Tensor, ca: Tensor, frames: Tensor, mask: Tensor
    ) -> Contacts:
        """List the pairs within the cutoff; see `forward` for the parameters."""
        valid = mask.unsqueeze(1).expand(-1, x.shape[1], -1)
        receiver, residue = neighbours(x, ca, valid, self.cutoff)
        r = x.flatten(0, 1).index_select(0, receiver) - ca.flatten(0, 1).index_select(0, residue)
        d = length(r)
        direction = (r / d.unsqueeze(-1)).unsqueeze(2)
        frames = frames.flatten(0, 1).index_select(0, residue)
        projected = torch.matmul(frames, direction)
        u = envelope(d, self.cutoff).unsqueeze(-1).unsqueeze(-1)
        basis = torch.cat((u, u * direction), dim=1)
        near, rbf = h_r.flatten(0, 1).index_select(0, residue), self.radial(d)
        return Contacts(receiver, residue, near, d, rbf, direction, frames, basis, projected)

    def checked(self, s: Tensor, receiver: Tensor) -> Tensor:
        """Invariants (N, h), NaN where an atom has more than `capacity` residues."""
        count = sum_rows(torch.ones_like(receiver), receiver, len(s)).unsqueeze(-1)
        return s.masked_fill(count > self.capacity, float("nan"))

    def pullback(
        self, g_s: Tensor, g_vec: Tensor, mask: Tensor, c: Contacts, layers: list[KeptInteraction]
    ) -> tuple[Tensor, Tensor, Places]:
        """Derivatives by s, vec and places; the representation of the residues is constant."""
        shape = g_s.shape[:2]
        g_s, g_vec = g_s.flatten(0, 1), g_vec.flatten(0, 1)
        g = [torch.zeros_like(c.rbf), torch.zeros_like(c.basis), torch.zeros_like(c.projected)]
        # TorchScript unrolls loops over modules, in their own order only.
        for last in range(len(layers) - 1, -1, -1):
            for number, layer in enumerate(self.layers):
                if number == last:
                    g_s, g_vec = layer.pullback(  # type: ignore[operator]
                        g_s, g_vec, layers[number], c, g
                    )
        g_r, g_frames = self.contacts_pullback(g, c)
        places = Places(
            sum_rows(g_r, c.receiver, len(g_s)).unflatten(0, shape),
            sum_rows(-g_r, c.residue, mask.numel()).unflatten(0, mask.shape),
            sum_rows(g_frames, c.residue, mask.numel()).unflatten(0, mask.shape),
        )
        return g_s.unflatten(0, shape), g_vec.unflatten(0, shape), places

    def contacts_pullback(self, g: list[Tensor], c: Contacts) -> tuple[Tensor, Tensor]:
        """Derivatives by x_i − CA_r (E, 3) and frames (E, 3, 3), from rbf, basis and projected."""
        g_rbf, g_basis, g_projected = g
        u, direction = c.basis[:, :1], c.direction
        g_u = g_basis[:, 0, 0] + (g_basis[:, 1:] * direction).sum((1, 2))
        g_direction = u * g_basis[:, 1:] + torch.matmul(c.frames.transpose(1, 2), g_projected)
        g_d = self.radial.pullback(g_rbf, c.d, c.rbf) + g_u * envelope_slope(c.d, self.cutoff)
        along = direction.squeeze(2)
        g_r = unit_pullback(g_direction.squeeze(2), along, c.d) + g_d.unsqueeze(-1) * along
        return g_r, g_projected * direction.transpose(1, 2)
