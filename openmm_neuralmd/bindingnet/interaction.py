"""Residue-level complex part of BindingNet (paper, 'Residue-Level Complex Modeling')."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import SummedLinear, VectorUpdate
from .neighbours import neighbours, sum_rows
from .radial import ExpNorm, envelope
from .settings import BindingNetSettings
from .vector_frames import length


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
        self.edge = nn.Sequential(nn.SiLU(), nn.Linear(h, h), nn.SiLU())
        self.feature = nn.Linear(h, channels, bias=False)
        self.axes = nn.Linear(3 * channels, h, bias=False)
        self.weights = nn.ModuleList([nn.SiLU(), SummedLinear(h, 3 * h)])
        self.update = VectorUpdate(h)

    def forward(
        self,
        s: Tensor,
        vec: Tensor,
        h_r: Tensor,
        rbf: Tensor,
        basis: Tensor,
        projected: Tensor,
        receiver: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Update s (N, h) and vec (N, 3, h) by the residues around, of which `h_r` (E, h).

        `basis` (E, 4, 1) is 1 and unit(x_i − CA_r) in space, times the envelope, `projected`
        (E, 3, 1) the direction on the residue frame, `receiver` (E,) is i.
        """
        h = self.edge(s.index_select(0, receiver) + h_r + self.radial_weight(rbf))
        seen = (projected * self.feature(h).unsqueeze(1)).flatten(1)
        hidden = self.weights[0](h + self.axes(seen)).unsqueeze(1)
        sums = sum_rows(basis * hidden, receiver, s.shape[0])
        w = self.weights[1](sums, sum_rows(basis, receiver, s.shape[0]))
        # Slices: TorchScript's derivative of chunk() is wrong where one chunk is not used.
        w0, w1 = w[:, 0, : self.hidden], w[:, 0, self.hidden : 2 * self.hidden]
        external = w[:, 1:, 2 * self.hidden :]
        return self.update(s + w0, vec + vec * w1.unsqueeze(1) + external)


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
        batch, atoms, _ = x.shape
        valid = mask.unsqueeze(1).expand(-1, atoms, -1)
        receiver, residue = neighbours(x, ca, valid, self.cutoff)
        r = x.flatten(0, 1).index_select(0, receiver) - ca.flatten(0, 1).index_select(0, residue)
        d = length(r)
        direction = (r / d.unsqueeze(-1)).unsqueeze(2)
        projected = torch.matmul(frames.flatten(0, 1).index_select(0, residue), direction)
        u = envelope(d, self.cutoff).unsqueeze(-1).unsqueeze(-1)
        basis = torch.cat((u, u * direction), dim=1)
        near, rbf = h_r.flatten(0, 1).index_select(0, residue), self.radial(d)
        s, vec = s.flatten(0, 1), vec.flatten(0, 1)
        count = sum_rows(torch.ones_like(receiver), receiver, len(s)).unsqueeze(-1)
        s = s.masked_fill(count > self.capacity, float("nan"))
        for layer in self.layers:
            s, vec = layer(s, vec, near, rbf, basis, projected, receiver)
        return s.unflatten(0, (batch, atoms)), vec.unflatten(0, (batch, atoms))
