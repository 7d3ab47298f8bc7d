"""The ligand part of BindingNet: all pairs with a mask, or a neighbour list of fixed capacity?

    python benchmarks/pairs.py [--repeats 9] [--quick]

Both compute the same numbers from the same weights; the rows say by how much they differ.  The
molecules are the first n heavy atoms of a peptide.  The list holds as many neighbours as the atom
with the most of them has within the cutoff: no list that is never too short can be smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from harness import NETWORKS, arguments, race, write
from rdkit import Chem
from rdkit.Chem import rdDistGeom
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from openmm_neuralmd.bindingnet.layers import EdgeLinear, VectorHead, gather_rows
from openmm_neuralmd.bindingnet.ligand import LigandLayer, LigandNet
from openmm_neuralmd.bindingnet.radial import envelope
from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.bindingnet.vector_frames import (
    COLLINEAR,
    complete,
    length,
    unit,
)

SIZES = (10, 20, 40, 80, 120)
PEPTIDE = "AFSKDLYGWEVNQ"


def on_edges(layer: EdgeLinear, edges: Tensor) -> Tensor:
    """A channel-first map on channel-last edges (B, n, K, in)."""
    return linear(edges, layer.weight, layer.bias)


class ListedLigandNet(nn.Module):
    """`LigandNet` on a neighbour list: the same weights, edges (B, n, K, h) in place of (…, n, n).

    Parameters
    ----------
    dense : LigandNet
    capacity : int
        Neighbours of an atom, K; with more than that within the cutoff the result is NaN.
    """

    def __init__(self, dense: LigandNet, capacity: int) -> None:
        super().__init__()
        self.dense = dense
        self.capacity = capacity

    def neighbours(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Indices (B, n, K) of the nearest atoms, and 0 or NaN for each atom (B, n, 1)."""
        x = x.detach()
        d = torch.linalg.vector_norm(x.unsqueeze(2) - x.unsqueeze(1), dim=-1)
        alone = torch.eye(x.shape[1], dtype=torch.bool, device=x.device) | ~mask.unsqueeze(1)
        d = d.masked_fill(alone, 1e6)
        index = d.topk(self.capacity, dim=-1, largest=False, sorted=False)[1]
        too_many = (d < self.dense.cutoff).sum(-1, keepdim=True) > self.capacity
        return index, torch.zeros_like(x[:, :, :1]).masked_fill(too_many, float("nan"))

    def forward(self, z: Tensor, x: Tensor, mask: Tensor, vec: Tensor) -> tuple[Tensor, Tensor]:
        """See `LigandNet.forward`."""
        net, weight = self.dense, mask.to(x.dtype).unsqueeze(-1)
        centroid = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1.0)
        x = (x - centroid) * weight
        index, poison = self.neighbours(x, mask)
        other = gather_rows(x, index)
        r = x.unsqueeze(2) - other
        d = length(r)
        direction = r / d.unsqueeze(-1)
        u = envelope(d, net.cutoff).unsqueeze(-1) * gather_rows(weight, index) * weight[:, :, None]
        rbf = net.radial(d)

        w = on_edges(net.neighbour_weight, rbf) * u
        around = (w * gather_rows(net.neighbour_embedding(z), index)).sum(2)
        s = net.combine(torch.cat((net.embedding(z), around), dim=-1)) + poison

        seen = on_edges(net.seen, self.scalarize(s, x, other, index, direction, u))
        edges = silu(seen + on_edges(net.distance, rbf))
        middle = net.edge[1]
        assert isinstance(middle, EdgeLinear)
        edges = silu(on_edges(middle, edges)) * u
        for layer in net.layers:
            assert isinstance(layer, LigandLayer)
            s, vec = self.layer(layer, s, vec, edges, index, direction)
        return s, vec * weight.unsqueeze(-1)

    def scalarize(
        self, s: Tensor, x: Tensor, other: Tensor, index: Tensor, direction: Tensor, u: Tensor
    ) -> Tensor:
        """Features of both atoms on the frame of their pair, (B, n, K, 6 channels)."""
        phi = gather_rows(self.dense.feature(s), index)
        feature = torch.matmul(direction.transpose(-1, -2), u * phi)
        normal = unit(torch.linalg.cross(x.unsqueeze(2).expand_as(other), other), COLLINEAR)
        frames = complete(direction, normal)
        own = torch.matmul(frames, feature.unsqueeze(2))
        theirs = gather_rows(feature.flatten(2), index).unflatten(-1, feature.shape[-2:])
        return torch.cat((own.flatten(-2), torch.matmul(frames, theirs).flatten(-2)), dim=-1)

    def layer(
        self,
        layer: LigandLayer,
        s: Tensor,
        vec: Tensor,
        edges: Tensor,
        index: Tensor,
        direction: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """See `LigandLayer.forward`."""
        phi0, phi1 = gather_rows(layer.source(s), index).chunk(2, dim=-1)
        ds = (on_edges(layer.invariant, edges) * phi0).sum(2)
        near = gather_rows(vec.flatten(2), index).unflatten(-1, vec.shape[-2:])
        carried = (on_edges(layer.carry, edges).unsqueeze(-2) * near).sum(2)
        created = on_edges(layer.create, edges) * phi1
        created = torch.matmul(direction.transpose(-1, -2), created)
        updated: tuple[Tensor, Tensor] = layer.update(s + ds, vec + carried + created)
        return updated


def molecule(n: int) -> tuple[Tensor, Tensor]:
    """Atomic numbers (1, n) and coordinates (1, n, 3) in Å of a peptide's first n heavy atoms."""
    sequence = (PEPTIDE * 3)[: n // 5 + 2]
    peptide = Chem.AddHs(Chem.MolFromSequence(sequence))
    rdDistGeom.EmbedMolecule(peptide, randomSeed=7, useRandomCoords=True)
    heavy = [a.GetIdx() for a in peptide.GetAtoms() if a.GetAtomicNum() > 1][:n]
    numbers = [peptide.GetAtomWithIdx(i).GetAtomicNum() for i in heavy]
    x = np.array(peptide.GetConformer().GetPositions())[heavy]
    return torch.tensor([numbers]), torch.tensor(x, dtype=torch.float32).unsqueeze(0)


def most_neighbours(x: Tensor, cutoff: float) -> int:
    """Neighbours of the atom with the most of them within the cutoff."""
    return int((torch.cdist(x, x) < cutoff).sum(-1).max()) - 1


def force(net: nn.Module, head: nn.Module, z: Tensor, x: Tensor, hidden: int) -> Tensor:
    """Vectors (1, n, 3) of the ligand alone."""
    mask = torch.ones_like(z, dtype=torch.bool)
    s, vec = net(z, x, mask, torch.zeros(1, x.shape[1], 3, hidden))
    result: Tensor = head(s, vec)
    return result


def evaluation(net: nn.Module, head: nn.Module, z: Tensor, x: Tensor, hidden: int) -> Callable:
    """The force alone, as in a simulation."""

    def call() -> Tensor:
        with torch.no_grad():
            return force(net, head, z, x, hidden)

    return call


def training(net: nn.Module, head: nn.Module, z: Tensor, x: Tensor, hidden: int) -> Callable:
    """Force and the gradient of its square by weights and coordinates, as in training."""
    moving = x.clone().requires_grad_(True)
    inputs = [moving, *(p for p in (*net.parameters(), *head.parameters()))]

    def call() -> Any:
        loss = force(net, head, z, moving, hidden).square().sum()
        return torch.autograd.grad(loss, inputs, allow_unused=True)

    return call


def row(name: str, settings: BindingNetSettings, n: int, repeats: int) -> dict[str, Any]:
    """Time both ways at one size."""
    torch.manual_seed(0)
    z, x = molecule(n)
    dense, head = LigandNet(settings), VectorHead(settings.hidden)
    capacity = most_neighbours(x, settings.ligand_cutoff)
    listed = ListedLigandNet(dense, capacity)
    a, b = (force(net, head, z, x, settings.hidden).detach() for net in (dense, listed))
    times = race(
        {
            f"{way}, {what}": make(net, head, z, x, settings.hidden)
            for way, net in (("all pairs", dense), ("list", listed))
            for what, make in (("force", evaluation), ("gradient", training))
        },
        repeats,
        seconds=10.0,
    )
    ratio = {
        what: times[f"list, {what}"]["median"] / times[f"all pairs, {what}"]["median"]
        for what in ("force", "gradient")
    }
    return {
        "network": name,
        "atoms": n,
        "capacity": capacity,
        "list_over_all_pairs_force": ratio["force"],
        "list_over_all_pairs_force_and_gradient": ratio["gradient"],
        "largest_difference": float((a - b).abs().max() / a.abs().max()),
        "ms": times,
    }


def main() -> None:
    """Measure both ways at every size."""
    given = arguments(__doc__, repeats=9)
    sizes = SIZES[:2] if given.quick else SIZES
    rows = [
        row(name, settings, n, given.repeats) for name, settings in NETWORKS.items() for n in sizes
    ]
    what = "BindingNet's ligand part: time with a neighbour list over time with all pairs"
    write(given.results, "pairs", what, rows)


if __name__ == "__main__":
    main()
