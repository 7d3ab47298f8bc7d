"""NeuralMD-SDE: fluctuation and dissipation balance, noise is shaped, seeds repeat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from torch import Tensor

from dynamics_cases import Nothing, point, small
from openmm_neuralmd.analysis.geometry import bond_angle_validity
from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.bindingnet.network import Protein
from openmm_neuralmd.dynamics.fluctuations import (
    Fluctuations,
    fluctuations,
    holding_time,
    local_means,
    spaced,
)
from openmm_neuralmd.dynamics.sde import NeuralSDE, SDEState
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.training.objectives import vector_score
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.nested import rows

REPLICAS = 20_000


def valid(known: Tensor) -> Tensor:
    return torch.ones(known.shape[:2], dtype=torch.bool)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_modes_and_rest_have_the_covariance_of_the_deviations() -> None:
    deviation = torch.randn(2, 6, 5, 3, generator=seeded()).double()
    for count in (3, 6, 20):
        found = fluctuations(deviation, valid(deviation), count)
        assert found.modes.shape == (2, count, 5, 3)
        variance = found.modes.square().sum((1, 3)) + 3 * found.rest.square()
        assert torch.allclose(variance, deviation.square().mean(1).sum(-1))
    flat, modes = deviation.flatten(2), found.modes.flatten(2)  # six modes span six snapshots
    assert torch.allclose(modes.transpose(1, 2) @ modes, flat.transpose(1, 2) @ flat / 6)
    assert found.rest.abs().max() < 1e-6


def test_what_is_known_turns_with_the_complex_and_ignores_padding() -> None:
    known = torch.randn(1, 6, 5, 3, generator=seeded()).double()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=seeded(1)).double())[0]

    def remembered(x: Tensor, kept: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        means = local_means(x, kept, 2.0)
        modes = fluctuations(x - means, kept, 3).modes
        covariance = torch.einsum("bkic,bkjd->bijcd", modes, modes)
        return covariance, spaced(means, kept, 4), holding_time(x, means, kept)

    covariance, poses, tau = remembered(known, valid(known))
    turned = remembered(known @ turn + 7.0, valid(known))
    expected = torch.einsum("bijcd,ce,df->bijef", covariance, turn, turn)
    assert torch.allclose(turned[0], expected, atol=1e-10)
    assert torch.allclose(turned[1], poses @ turn + 7.0)
    assert torch.allclose(turned[2], tau)
    padded = torch.cat((torch.full((1, 2, 5, 3), 50.0).double(), known), dim=1)
    kept = torch.tensor([[False] * 2 + [True] * 6])
    for a, b in zip(remembered(padded, kept), (covariance, poses, tau), strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_one_known_snapshot_has_no_fluctuations_and_one_pose() -> None:
    known, one = torch.randn(1, 1, 4, 3), torch.ones(1, 1, dtype=torch.bool)
    means = local_means(known, one, 10.0)
    found = fluctuations(known - means, one, 5)
    assert not found.modes.any() and not found.rest.any()
    assert torch.equal(spaced(means, one, 3), known.expand(1, 3, 4, 3))
    assert holding_time(known, means, one).tolist() == [1.0]


@pytest.mark.parametrize("tau", [20.0, 60.0])
def test_hops_forget_as_fast_as_the_known_snapshots(tau: float) -> None:
    """White noise and a process whose correlation is exp(−t/τ) by construction, 0.3 of the sum."""
    phi, length = np.exp(-1 / tau), 30_000
    rng = np.random.default_rng(0)
    drive = (1 - phi**2) ** 0.5 * rng.normal(size=(length, 12))
    slow = lfilter([1.0], [1.0, -phi], drive, axis=0)
    x = 0.3**0.5 * slow + 0.7**0.5 * rng.normal(size=slow.shape)
    known = torch.as_tensor(x).view(1, length, 4, 3)
    means = local_means_of_a_long_series(known, 10.0)
    found = float(holding_time(known, means, valid(known)))
    share = float(means.var() / known.var())
    assert share * found == pytest.approx(0.3 * tau, rel=0.15)


def local_means_of_a_long_series(known: Tensor, window: float) -> Tensor:
    """`local_means` by two recursive filters, without its (T, T) matrix."""
    x, phi = known.numpy(), np.exp(-1 / window)
    forward = lfilter([1.0], [1.0, -phi], x, axis=1)
    backward = lfilter([1.0], [1.0, -phi], x[:, ::-1], axis=1)[:, ::-1]
    one = np.ones(x.shape[1])
    weight = lfilter([1.0], [1.0, -phi], one)
    both = (weight + weight[::-1] - one)[None, :, None, None]
    return torch.as_tensor((forward + backward - x) / both)


def test_local_means_of_a_series() -> None:
    known = torch.randn(1, 40, 2, 3, generator=seeded()).double()
    expected = local_means_of_a_long_series(known, 5.0)
    assert torch.allclose(local_means(known, valid(known), 5.0), expected)


def analytic(step: float, **settings: object) -> NeuralSDE:
    """Without a network: shaking about a pose, and hops."""
    content = {"step": step, "sweeps": 0, "velocity_map": False, **settings}
    model = small("neuralmd-sde", **content)
    model.network = Nothing()
    return model


def run(model: NeuralSDE, snapshots: int, poses: Tensor, tau: float, spread: float) -> Tensor:
    """Many replicas of one atom that starts in its first pose, (REPLICAS, S, 3) in Å."""
    c = rows(point(), torch.zeros(REPLICAS, dtype=torch.int64))
    zero = torch.zeros(REPLICAS, 1, 3).double()
    places = poses.double().view(1, -1, 1, 1).expand(REPLICAS, -1, 1, 3)
    # Half of the variance in a mode that all coordinates share, half of it their own.
    shape = torch.full((REPLICAS, 1, 1, 3), spread / 2**0.5).double()
    state = SDEState(
        x=places[:, 0],
        v=zero,
        y=places[:, 0],
        poses=places,
        tau=torch.full((REPLICAS,), tau).double(),
        noise=Fluctuations(shape, torch.full((REPLICAS, 1), spread / 2**0.5).double()),
        lengths=torch.zeros(REPLICAS, 0).double(),
    )
    with torch.no_grad():
        path, _ = model.integrate(c, Protein(*(zero,) * 8), state, snapshots, seeded())
    return path[:, :, 0]


@pytest.mark.parametrize("step", [0.5, 0.25, 0.125])
def test_fluctuations_do_not_depend_on_the_step(step: float) -> None:
    """Noise ∝ sqrt(dt), dissipation to match: the stationary covariance is a² N N' exactly."""
    x = run(analytic(step), 20, torch.zeros(1), 5.0, 0.3)[:, -1]
    covariance = np.cov(x.numpy().T)
    expected = 0.3**2 * (0.5 * np.ones((3, 3)) + 0.5 * np.eye(3))  # the shared half
    error = 0.3**2 * (2 / REPLICAS) ** 0.5
    assert np.abs(covariance - expected).max() < 5 * error


@pytest.mark.parametrize("step", [0.5, 0.125])
def test_poses_are_left_at_their_rate_and_visited_as_often_as_they_were_held(step: float) -> None:
    poses, tau = torch.tensor([0.0, 4.0, 8.0, 8.0]), 6.0
    x = run(analytic(step), 40, poses, tau, 0.1)
    place = (x[:, :, 0] / 4).round().clamp(0, 2)
    error = 5 * 0.5 / REPLICAS**0.5
    for t in (1, 5, 12):
        stays = np.exp(-t / tau) + (1 - np.exp(-t / tau)) / 4
        assert float((place[:, t - 1] == 0).double().mean()) == pytest.approx(stays, abs=error)
    late = [float((place[:, -1] == k).double().mean()) for k in range(3)]
    assert late == pytest.approx([0.25, 0.25, 0.5], abs=error)
    # Nothing is between the wells but what has just hopped: the ligand is carried along.
    off = (x[:, -1] - 4 * place[:, -1:]).abs()
    assert float(off.max()) < 0.7


def test_same_seed_same_trajectory(gpcr: Snapshots) -> None:
    model = small("neuralmd-sde")
    c = complex_tensors(gpcr.complex, torch.float64)
    known = torch.as_tensor(gpcr.ligand[:20]).unsqueeze(0)
    with torch.no_grad():
        state, protein = model.start(c, known, valid(known)), model.encode(c)
        a, b, other = (model.integrate(c, protein, state, 3, seeded(seed))[0] for seed in (0, 0, 1))
        assert torch.equal(a, b) and not torch.allclose(a, other)
        with pytest.raises(InputError, match="give it a generator"):
            model.integrate(c, protein, state, 3)


def test_shaped_noise_keeps_the_molecule(gpcr: Snapshots) -> None:
    """Fluctuations as large as the known ones, and every bond and angle where it belongs."""
    model = small("neuralmd-sde")
    for parameter in model.network.head.parameters():
        parameter.data.zero_()
    c = complex_tensors(gpcr.complex, torch.float64)
    known = torch.as_tensor(gpcr.ligand[:80]).unsqueeze(0)
    with torch.no_grad():
        state = model.start(c, known, valid(known))
        path = model.integrate(c, model.encode(c), state, 60, seeded())[0][0].numpy()
    past = known[0].numpy()
    assert bond_angle_validity(path, gpcr.complex.site_bonds, past) >= 90.0
    moved, known_spread = path.std(0).mean(), past.std(0).mean()
    assert 0.5 < moved / known_spread < 1.5


def test_energy_score_is_least_for_the_true_spread() -> None:
    """For a normal truth of spread 1, spreads of 0.5 and 2 score worse, and by how much."""
    truth = torch.randn(4000, 1, 1, 1, generator=seeded()).double()
    mask = torch.ones(4000, 1, dtype=torch.bool)
    scores = {}
    for spread in (0.5, 1.0, 2.0):
        futures = spread * torch.randn(16, 4000, 1, 1, 1, generator=seeded(1)).double()
        scores[spread] = float(vector_score(futures, truth, mask).mean())
        exact = ((2 / np.pi) * (1 + spread**2)) ** 0.5 - spread / np.pi**0.5
        assert scores[spread] == pytest.approx(exact, abs=0.03)
    assert scores[1.0] < min(scores[0.5], scores[2.0])


def test_replicas_of_one_history_are_those_of_the_same_history_many_times(gpcr: Snapshots) -> None:
    model = Model(small("neuralmd-sde").eval(), CARD)
    known = gpcr.ligand[:20]
    together = rollout(model, gpcr.complex, known, 3, replicas=4, seed=5)
    assert together.shape == (4, 3, 43, 3)
    repeated = rollout(model, gpcr.complex, np.stack([known] * 4), 3, seed=5)
    assert np.allclose(together, repeated)
    assert not np.allclose(together[0], together[1])
    assert not np.allclose(together, rollout(model, gpcr.complex, known, 3, replicas=4, seed=6))
    with pytest.raises(InputError, match=r"replicas=2 needs one history \(T, 43, 3\)"):
        rollout(model, gpcr.complex, np.stack([known] * 4), 3, replicas=2)


CARD = ModelCard(
    name="small",
    kind="neuralmd-sde",
    settings={},
    interval_ps=6000.0,
    elements=[6, 7, 8],
    residue_types=[],
)
