"""Residues around a ligand: springs, coupling to the ligand, and valid snapshots."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from one_structure_cases import molecule, peptide, rotation
from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
from openmm_neuralmd.bindingnet.pocket import pocket_atoms
from openmm_neuralmd.bindingnet.side_chains import side_chains
from openmm_neuralmd.bindingnet.structure_network import StructureNetSettings
from openmm_neuralmd.dynamics import springs
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import Prediction, predict_pose
from openmm_neuralmd.dynamics.side_chain_motion import SideChainMotion, side_chain_motion
from openmm_neuralmd.dynamics.side_chain_network import SideChainNetwork
from openmm_neuralmd.dynamics.side_chain_springs import SideChainSprings, side_chain_springs
from openmm_neuralmd.dynamics.spring_network import SpringNetworkSettings

SMALL = SpringNetworkSettings(network=StructureNetSettings(hidden=8, vectors=2, num_radial=4))


def network() -> SideChainNetwork:
    """A network whose heads say something."""
    torch.manual_seed(1)
    net = SideChainNetwork(SMALL).double()
    for name, parameter in net.named_parameters():
        if name.startswith("members"):
            parameter.data += 0.1 * torch.randn_like(parameter)
    return net


def springs_of(turn: np.ndarray | None = None) -> SideChainSprings:
    chemistry = ligand_chemistry(molecule())
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = peptide()
    turn = np.eye(3) if turn is None else turn
    return side_chain_springs(side_chains(topology, positions @ turn.T, chemistry, pose @ turn.T))


@torch.no_grad()
def test_stiffness_is_positive_and_turns_with_the_complex() -> None:
    net, turn = network(), rotation(2)
    one, other = (
        net.motion(c, net.corrections(c.springs)) for c in (springs_of(), springs_of(turn))
    )
    assert torch.linalg.eigvalsh(one.compliance).min() > 0
    assert one.displacement.norm() > 1e-3
    m, n = len(one.displacement) // 3, one.response.shape[1] // 3
    r, left, right = (np.kron(np.eye(k), turn) for k in (m, m, n))
    turned = torch.as_tensor(r) @ one.compliance @ torch.as_tensor(r).T
    assert torch.allclose(other.compliance, turned, atol=1e-9)
    assert torch.allclose(other.displacement, torch.as_tensor(left) @ one.displacement, atol=1e-9)
    response = torch.as_tensor(left) @ one.response @ torch.as_tensor(right).T
    assert torch.allclose(other.response, response, atol=1e-9)


@torch.no_grad()
def test_side_chains_and_ligand_are_one_gaussian_whose_ligand_part_is_unchanged() -> None:
    net, c = network(), springs_of()
    g = net.motion(c, net.corrections(c.springs))
    n = 3 * c.ligand_size
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(n, n, dtype=torch.float64, generator=generator)
    ligand = root @ root.T / n + 0.1 * torch.eye(n, dtype=torch.float64)
    stiffness = torch.linalg.inv(g.compliance)
    coupling = stiffness @ g.response
    corner = torch.linalg.inv(ligand) + coupling.T @ g.compliance @ coupling
    top = torch.cat((stiffness, -coupling), dim=1)
    joint = torch.linalg.inv(torch.cat((top, torch.cat((-coupling.T, corner), dim=1))))
    m = len(stiffness)
    assert torch.allclose(joint[m:, m:], ligand, atol=1e-8)
    assert torch.allclose(joint[:m, :m], g.covariance(ligand), atol=1e-8)
    assert torch.allclose(joint[:m, m:], g.response @ ligand, atol=1e-8)


@torch.no_grad()
def test_a_ligand_that_moves_as_a_whole_pulls_less_than_it_moves() -> None:
    net, c = network(), springs_of()
    g = net.motion(c, net.corrections(c.springs))
    push = torch.eye(3, dtype=torch.float64).repeat(c.ligand_size, 1)
    pulled = (g.response @ push).reshape(-1, 3, 3)
    along = pulled.diagonal(dim1=1, dim2=2)
    assert 0.01 < float(along.max()) < 1.0  # springs to what stands still hold it back


@torch.no_grad()
def test_sparse_and_dense_products_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    monkeypatch.setattr(springs, "DENSE", 10_000)
    dense = springs_of()
    monkeypatch.setattr(springs, "DENSE", 1)
    sparse = springs_of()
    assert sparse.springs.transposed.is_sparse and not dense.springs.transposed.is_sparse
    one, other = (net.motion(c, net.corrections(c.springs)) for c in (dense, sparse))
    assert torch.allclose(one.compliance, other.compliance, atol=1e-10)


@torch.no_grad()
def test_bonds_stay_stiff_whatever_is_learned() -> None:
    """Single atoms cannot tell a stretched bond from two atoms that move together."""
    net, c = network(), springs_of()
    net.constants.data[:] = -20.0
    compliance = net.motion(c, None).compliance
    bonds = c.springs.kind == 0
    along = c.springs.gradients[bonds]
    spread = ((along @ compliance) * along).sum(-1).sqrt()
    assert float(spread.max()) < 0.04  # Å


@cache
def motion() -> tuple[Prediction, SideChainMotion]:
    torch.manual_seed(0)
    model = NeuralOU(NeuralOUSettings(members=1, side_chains=SMALL)).double()
    chemistry = ligand_chemistry(molecule())
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = peptide()
    pocket = pocket_atoms(topology, positions, pose)
    prediction = predict_pose(model, chemistry, pose, pocket)
    side = side_chains(topology, positions, chemistry, pose)
    moving = side_chain_motion(model, side, prediction.process)
    assert moving is not None
    return prediction, moving


def test_snapshots_have_the_predicted_fluctuations_and_are_molecules() -> None:
    prediction, moving = motion()
    ligand = prediction.snapshots(1500, seed=3, hops=False, typical=True)
    x = moving.following(ligand[:, None], np.zeros(1), seed=4)[:, 0]
    drawn = np.sqrt(x.var(axis=0).sum(-1))
    assert abs(np.log(drawn / moving.rmsf()).mean()) < 0.15
    assert np.corrcoef(np.log(drawn), np.log(moving.rmsf()))[0, 1] > 0.95
    i, j = moving.side.chemistry.bonds.T
    lengths = np.linalg.norm(x[:, i] - x[:, j], axis=-1)
    given = np.linalg.norm(moving.side.start[i] - moving.side.start[j], axis=-1)
    assert np.abs(lengths / given - 1.0).max() < 0.15
    assert np.quantile(np.abs(lengths / given - 1.0), 0.99) < 0.08


def test_trajectories_depend_on_the_seed_alone_and_go_with_the_ligand() -> None:
    prediction, moving = motion()
    times = np.arange(1.0, 6.0)
    ligand = prediction.trajectories(times, 2, seed=1)
    x = moving.following(ligand, times, seed=5)
    assert x.shape == (2, 5, len(moving.atoms), 3)
    assert np.array_equal(x, moving.following(ligand, times, seed=5))
    assert not np.allclose(x, moving.following(ligand, times, seed=6))
    away = moving.following(ligand + [0.5, 0.0, 0.0], times, seed=5) - x
    pulled = moving.response.reshape(len(moving.atoms), 3, -1, 3).sum(2)[:, :, 0] * 0.5
    flat = away.reshape(-1, *pulled.shape).mean(axis=0)
    assert np.corrcoef(flat.ravel(), pulled.ravel())[0, 1] > 0.9


def test_without_side_chains_or_residues_near_there_is_no_motion() -> None:
    prediction, moving = motion()
    model = NeuralOU(NeuralOUSettings(members=0))
    assert side_chain_motion(model, moving.side, prediction.process) is None
    chemistry = ligand_chemistry(molecule())
    topology, positions = peptide()
    far = side_chains(topology, positions + 500.0, chemistry, prediction.pose)
    model = NeuralOU(NeuralOUSettings(members=0, side_chains=SMALL))
    assert side_chain_motion(model, far, prediction.process) is None


def test_without_the_network_the_class_constants_of_both_stay() -> None:
    model = NeuralOU(NeuralOUSettings(members=1, side_chains=SMALL))
    bare = model.without_network()
    assert bare is not None and bare.side_chains is not None and model.side_chains is not None
    assert len(bare.side_chains.members) == 0
    assert torch.equal(bare.side_chains.constants, model.side_chains.constants)
