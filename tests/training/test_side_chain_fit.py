"""Fitting of the residues around a ligand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from openmm_neuralmd.bindingnet.structure_network import StructureNetSettings
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.side_chain_motion import side_chain_motion
from openmm_neuralmd.dynamics.side_chain_network import SideChainNetwork
from openmm_neuralmd.dynamics.spring_network import SpringNetworkSettings
from openmm_neuralmd.training.run_statistics import read_packed
from openmm_neuralmd.training.side_chain_fit import (
    SideChainExample,
    SideChainFitSettings,
    atom_loss,
    fit_side_chain_constants,
    fit_side_chain_member,
    fit_side_chain_scale,
    side_chain_examples,
)
from openmm_neuralmd.training.side_chain_statistics import side_chain_statistics

MANY = Path(__file__).parents[2] / "validation" / "reference_sets" / "many"
SMALL = SpringNetworkSettings(network=StructureNetSettings(hidden=8, vectors=2, num_radial=4))


@pytest.fixture(scope="module")
def examples() -> list[SideChainExample]:
    return side_chain_examples(read_packed(MANY, {"jak2_2_3E63"}))


def test_statistics_of_runs_are_those_of_all_snapshots() -> None:
    (c,) = read_packed(MANY, {"jak2_2_3E63"})
    side = c.side_chains
    assert side is not None
    random = np.random.default_rng(0)
    atoms = side.side.atoms[:4][::-1].copy()
    runs = random.normal(size=(2, 50, 4, 3)) + random.normal(size=(2, 1, 4, 3))
    each = runs - runs.mean(axis=1, keepdims=True)
    covariance = np.einsum("rtki,rtkj->rkij", each, each) / 50
    s = side_chain_statistics(side.side, atoms, runs.mean(axis=1), covariance)
    assert np.array_equal(s.rows, [0, 1, 2, 3]) and np.array_equal(s.columns, [3, 2, 1, 0])
    together = runs.reshape(100, 4, 3)[:, s.columns]
    assert np.allclose(s.mean, together.mean(axis=0))
    away = together - together.mean(axis=0)
    assert np.allclose(s.covariance, np.einsum("tki,tkj->kij", away, away) / 100)
    assert np.allclose(s.rmsf**2, each.var(axis=1).sum(-1)[:, s.columns])


def test_the_loss_bounds_the_likelihood_of_snapshots(examples: list[SideChainExample]) -> None:
    """Snapshots of a Gaussian with the stored moments, by the t density of each atom."""
    (e,) = examples
    net = SideChainNetwork(SMALL).double()
    with torch.no_grad():
        g = net.motion(e.springs, None)
        bound = atom_loss(g, e).numpy()
        blocks = g.covariance(e.ligand).reshape(-1, 3, g.displacement.shape[0] // 3, 3).numpy()
    random = np.random.default_rng(1)
    for k in (0, 5, 20):
        row = int(e.rows[k])
        shape = blocks[row, :, row]
        x = random.multivariate_normal(e.offset[k].numpy(), e.covariance[k].numpy(), size=20_000)
        from scipy.stats import multivariate_t

        density = multivariate_t(g.displacement.reshape(-1, 3)[row], shape, df=float(g.freedom))
        assert -density.logpdf(x).mean() / 3 < bound[k] + 0.01


def test_a_fit_lowers_the_loss(examples: list[SideChainExample]) -> None:
    torch.manual_seed(0)
    net = SideChainNetwork(SMALL)
    (e,) = examples
    with torch.no_grad():
        before = float(atom_loss(net.motion(e.springs, None), e).mean())
    after = fit_side_chain_constants(net, examples)
    assert after < before - 0.1
    how = SideChainFitSettings(epochs=3)
    losses: list[float] = []
    fit_side_chain_member(net, 0, examples, how, lambda epoch, loss: losses.append(loss))
    assert len(losses) == 3 and losses[-1] < losses[0]


def test_the_scale_is_that_of_the_runs() -> None:
    complexes = read_packed(MANY, {"jak2_2_3E63"})
    model = NeuralOU(NeuralOUSettings(members=0, side_chains=SMALL))
    fit_side_chain_scale(model, complexes)
    (c,) = complexes
    assert c.side_chains is not None and model.side_chains is not None
    process = predict_pose(model, c.chemistry, c.start, c.pocket).process
    motion = side_chain_motion(model, c.side_chains.side, process)
    assert motion is not None
    predicted = motion.rmsf(c.window_ps)[c.side_chains.rows]
    true = np.sqrt((c.side_chains.rmsf**2).mean(axis=0))
    assert np.log(predicted / true).mean() == pytest.approx(0.0, abs=0.01)
    assert (motion.rmsf(c.window_ps) < motion.rmsf()).all()
