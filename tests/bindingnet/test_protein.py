"""The protein's part: which backbone atoms an atom sees, and how much of each."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from openmm_neuralmd import example_complex
from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.bindingnet.protein import ProteinNet
from openmm_neuralmd.bindingnet.radial import envelope
from openmm_neuralmd.bindingnet.settings import BindingNetSettings

SMALL = {"hidden": 8, "vector_channels": 4, "num_radial": 6}
DOUBLE = torch.float64


def network(**more: object) -> ProteinNet:
    torch.manual_seed(0)
    return ProteinNet(BindingNetSettings.model_validate({**SMALL, **more})).double()


@pytest.mark.parametrize("capacity", [3, 7, 24])
def test_an_atom_sees_its_nearest_neighbours_within_the_cutoff(capacity: int) -> None:
    """Atom by atom: the nearest ones, weighted by an envelope that ends at the next one."""
    net = network(backbone_neighbours=capacity)
    x = torch.tensor(np.random.default_rng(1).uniform(0, 12, (2, 60, 3)), dtype=DOUBLE)
    mask = torch.ones(2, 60, dtype=torch.bool)
    mask[1, 50:] = False
    receiver, sender, u = net.neighbour_list(x, mask)
    weights = torch.zeros(120, 120, dtype=DOUBLE).index_put((receiver, sender), u)
    expected = torch.zeros_like(weights)
    for batch in range(2):
        for atom in torch.nonzero(mask[batch]).flatten().tolist():
            d = torch.linalg.vector_norm(x[batch] - x[batch, atom], dim=-1)
            d[~mask[batch]] = torch.inf
            d[atom] = torch.inf
            near = torch.argsort(d)
            reach = d[near[capacity]].clamp(max=net.cutoff)
            for other in near[:capacity].tolist():
                if d[other] < net.cutoff:
                    row = (60 * batch + atom, 60 * batch + other)
                    expected[row] = envelope(d[other] / reach, 1.0)
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0)  # lengths are smooth at zero


def test_messages_summed_by_kind_are_those_of_each_neighbour() -> None:
    """Σ_e u_e (W a_e + b) ∘ E[kind_e], one neighbour after the other."""
    net = network()
    x = torch.tensor(np.random.default_rng(2).uniform(0, 9, (1, 30, 3)), dtype=DOUBLE)
    receiver, sender, u = net.neighbour_list(x, torch.ones(1, 30, dtype=torch.bool))
    seen: list[torch.Tensor] = []
    net.combine.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        net(torch.zeros(1, 10, dtype=torch.int64), x.view(1, 10, 3, 3), torch.ones(1, 10) > 0)
        d = torch.linalg.vector_norm(x[0, receiver] - x[0, sender], dim=-1)
        w = net.radial(d) @ net.neighbour_weight.weight.T + net.neighbour_weight.bias
        each = u.unsqueeze(-1) * w * net.neighbour_embedding.weight[sender % 3]
        around = torch.zeros(30, 8, dtype=DOUBLE).index_add_(0, receiver, each)
    torch.testing.assert_close(seen[0][:, 8:], around, atol=1e-5, rtol=0)


def test_an_atom_that_is_nowhere_does_not_go_unnoticed() -> None:
    c = complex_tensors(example_complex("t4l-p-xylene"), DOUBLE)
    net = network()
    backbone = c.backbone.clone()
    backbone[0, 40, 1, 0] = torch.nan
    with torch.no_grad():
        whole = net(c.residue_type, c.backbone, c.residue_mask)
        broken = net(c.residue_type, backbone, c.residue_mask)
    assert torch.isfinite(whole).all()
    assert torch.isnan(broken[0]).any(dim=-1).all()  # a neighbour of all others
