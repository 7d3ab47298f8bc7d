"""Training of NeuralMD-OU from sufficient statistics."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

sys.path.insert(0, str(Path(__file__).parent.parent / "dynamics"))
from one_structure_cases import case, molecule, protein
from openmm_neuralmd.bindingnet.pocket import pocket_atoms
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings, negative_log_likelihood
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.ou_process import stationary
from openmm_neuralmd.dynamics.springs import START
from openmm_neuralmd.errors import ModelError
from openmm_neuralmd.training.ou_files import card, load, save
from openmm_neuralmd.training.ou_fit import (
    OUFitSettings,
    example,
    fit_constants,
    fit_member,
    statistics_loss,
)
from openmm_neuralmd.training.ou_rates import (
    Series,
    fit_relaxation,
    fit_typical,
    fit_wells,
    process_loss,
)
from openmm_neuralmd.training.run_statistics import RunStatistics, read_packed


@pytest.fixture(autouse=True)
def _one_thread():
    """Matrices are small: a second thread only waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def statistics():
    """Two runs drawn from a known process: softer than the class constants, and displaced."""
    chemistry, pose, _ = case()
    topology, positions = protein()
    pocket = pocket_atoms(topology, positions, pose, radius=10.0)
    torch.manual_seed(0)
    with torch.no_grad():
        hessian = (
            NeuralOU(NeuralOUSettings(members=0))
            .double()(example(_of(chemistry, pose, pocket, [pose[None]] * 2)).springs)
            .stiffness
        )
    centre = pose + np.array([0.3, 0.0, 0.0])
    process = stationary(centre, 0.5 * hessian.numpy(), [2.0, 50.0])
    x = process.draw(np.arange(400.0), 2, np.random.default_rng(0)).reshape(2, 400, -1, 3)
    return _of(chemistry, pose, pocket, list(centre + x))


def _of(chemistry, pose, pocket, runs):
    return RunStatistics("case", "case", molecule(), chemistry, pose, pocket, runs, 1.0)


def test_statistics_of_the_runs(statistics):
    flat = statistics.frames.reshape(800, -1)
    np.testing.assert_allclose(statistics.mean.reshape(-1), flat.mean(0))
    np.testing.assert_allclose(statistics.covariance, np.cov(flat.T, bias=True), atol=1e-10)
    assert len(statistics.part(0.5, 1.0).frames) == 400


def test_the_loss_is_a_bound_of_the_likelihood_of_the_snapshots(statistics):
    e = example(statistics)
    model = NeuralOU(NeuralOUSettings(members=0)).double()
    with torch.no_grad():
        g = model(e.springs)
        away = torch.as_tensor((statistics.frames - statistics.start).reshape(800, -1))
        squared = ((away @ g.stiffness) * away).sum(-1)
        exact = float(negative_log_likelihood(g, squared, away.shape[1]).mean())
        bound = float(statistics_loss(g, e))
    assert exact <= bound < exact + 0.05


def test_class_constants_find_the_scale(statistics):
    model = NeuralOU(NeuralOUSettings(members=0))
    e = example(statistics)
    before = float(statistics_loss(model(e.springs), e).detach())
    assert fit_constants(model, [e]) < before - 0.01
    ratio = model.constants.detach().exp().numpy() / np.array(START)
    assert model.constants.dtype == torch.float32
    assert 0.1 < np.median(ratio) < 1.0


def test_the_network_learns_the_displacement(statistics):
    torch.manual_seed(0)
    model = NeuralOU(NeuralOUSettings(members=1))
    e = example(statistics)
    fit_constants(model, [e])
    constants = model.constants.detach().clone()
    for parameter, _ in model.class_parameters():
        parameter.requires_grad_(False)
    before = float(statistics_loss(model(e.springs), e).detach())
    fit_member(model, 0, [statistics], OUFitSettings(epochs=30, frames=0))
    with torch.no_grad():
        g = model(e.springs)
    assert float(statistics_loss(g, e)) < before - 0.005
    u = g.displacement
    assert float(u @ e.offset / (u.norm() * e.offset.norm())) > 0.6
    assert torch.equal(model.constants.detach(), constants)


def test_relaxation_and_wells(statistics):
    model = NeuralOU(NeuralOUSettings(members=0))
    fit_constants(model, [example(statistics)])
    series = Series(model, statistics)
    times, values = series.sample(24, np.random.default_rng(0))
    before = float(process_loss(model, series, times, values).detach())
    fit_relaxation(model, [statistics], steps=40, count=12, learning_rate=3e-2)
    assert float(process_loss(model, series, times, values).detach()) < before
    fit_wells(model, [statistics])
    fit_typical(model, [statistics])
    predicted = predict_pose(model, *case()).rmsf(400.0)
    true = np.sqrt(np.mean([run.var(0).sum(-1) for run in statistics.runs], axis=0))
    assert abs(np.log(predicted / true).mean()) < 0.05
    assert torch.isfinite(model.leave).all() and torch.isfinite(model.log_hop_rate)


def test_a_file_gives_the_same_model(statistics, tmp_path):
    torch.manual_seed(1)
    model = NeuralOU(NeuralOUSettings(members=1))
    content = card("toy", model, [statistics])
    path = tmp_path / "toy.safetensors"
    save(path, model, content)
    again = load(path)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters()))
    with safe_open(str(path), "pt") as file:
        assert "neuralmd" in file.metadata()
    assert content.elements == [6, 7, 8] and content.kind == "neuralmd-ou"


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        load(tmp_path / "none.safetensors")


def test_settings_forbid_what_they_do_not_know():
    with pytest.raises(ValueError, match="extra"):
        NeuralOUSettings(depth=3)


def test_packed_complexes_that_are_not_complete_are_left_out(tmp_path):
    (tmp_path / "one.npz").write_bytes(b"")
    assert read_packed(tmp_path) == []
