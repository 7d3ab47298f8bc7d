"""NeuralMD-SDE: fluctuation and dissipation balance, noise is shaped, seeds repeat."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dynamics_cases import small
from test_ode import Nothing, point
from torch import Tensor

from openmm_neuralmd.analysis.geometry import bond_angle_validity
from openmm_neuralmd.bindingnet import Protein, complex_tensors
from openmm_neuralmd.dynamics.fluctuations import Fluctuations, fluctuations
from openmm_neuralmd.dynamics.sde import NeuralSDE, NeuralSDESettings, SDEState
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.training.objectives import vector_score
from openmm_neuralmd.trajectories import Snapshots

REPLICAS = 20_000


def valid(known: Tensor) -> Tensor:
    return torch.ones(known.shape[:2], dtype=torch.bool)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_modes_and_rest_have_the_covariance_of_the_known_snapshots() -> None:
    known = torch.randn(2, 7, 5, 3, generator=seeded()).double()
    for count in (3, 6, 20):
        found = fluctuations(known, valid(known), count)
        assert found.modes.shape == (2, count, 5, 3)
        variance = found.modes.square().sum((1, 3)) + 3 * found.rest.square()
        assert torch.allclose(variance, known.var(1).sum(-1))
    flat = (known - known.mean(1, keepdim=True)).flatten(2)
    modes = found.modes.flatten(2)  # six span seven snapshots
    assert torch.allclose(modes.transpose(1, 2) @ modes, flat.transpose(1, 2) @ flat / 6)
    assert found.rest.abs().max() < 1e-6


def test_fluctuations_turn_with_the_complex_and_ignore_padding() -> None:
    known = torch.randn(1, 6, 5, 3, generator=seeded()).double()
    turn = torch.linalg.qr(torch.randn(3, 3, generator=seeded(1)).double())[0]

    def covariance(x: Tensor, kept: Tensor) -> Tensor:
        modes = fluctuations(x, kept, 3).modes
        return torch.einsum("bkic,bkjd->bijcd", modes, modes)

    turned = covariance(known @ turn + 7.0, valid(known))
    expected = torch.einsum("bijcd,ce,df->bijef", covariance(known, valid(known)), turn, turn)
    assert torch.allclose(turned, expected, atol=1e-10)
    padded = torch.cat((torch.full((1, 2, 5, 3), 50.0).double(), known), dim=1)
    kept = torch.tensor([[False] * 2 + [True] * 6])
    assert torch.allclose(covariance(padded, kept), covariance(known, valid(known)), atol=1e-10)


def test_one_known_snapshot_has_no_fluctuations() -> None:
    found = fluctuations(torch.randn(1, 1, 4, 3), torch.ones(1, 1, dtype=torch.bool), 5)
    assert not found.modes.any() and not found.rest.any()


def analytic(step: float, **settings: object) -> NeuralSDE:
    """Without a network: a sum of Ornstein–Uhlenbeck processes."""
    content = {"step": step, "sweeps": 0, "velocity_map": False, **settings}
    model = small("neuralmd-sde", **content)
    model.network = Nothing()
    return model


def run(model: NeuralSDE, snapshots: int, spread: float = 0.3) -> Tensor:
    """Many replicas of one atom that starts at its mean, (REPLICAS, S, 3) in Å."""
    c = point().take(torch.zeros(REPLICAS, dtype=torch.int64))
    zero = torch.zeros(REPLICAS, 1, 3).double()
    y = torch.zeros(REPLICAS, len(model.slow), 1, 3).double()
    # Half of the variance in a mode that all coordinates share, half of it their own.
    shape = torch.full((REPLICAS, 1, 1, 3), spread / 2**0.5).double()
    noise = Fluctuations(shape, torch.full((REPLICAS, 1), spread / 2**0.5).double())
    state = SDEState(zero, zero, y, zero, noise, torch.zeros(REPLICAS, 0).double())
    with torch.no_grad():
        path, _ = model.integrate(c, Protein(*(zero,) * 4), state, snapshots, seeded())
    return path[:, :, 0]


@pytest.mark.parametrize("step", [0.5, 0.25, 0.125])
def test_fluctuations_do_not_depend_on_the_step(step: float) -> None:
    """Noise ∝ sqrt(dt), dissipation to match: the stationary covariance is a² N N' exactly."""
    x = run(analytic(step, slow=(2.0,)), 20)[:, -1]
    covariance = np.cov(x.numpy().T)
    # a_0² + a_1² = 1; off the diagonal the shared half.
    expected = 0.3**2 * (0.5 * np.ones((3, 3)) + 0.5 * np.eye(3))
    error = 0.3**2 * (2 / REPLICAS) ** 0.5
    assert np.abs(covariance - expected).max() < 5 * error


def test_slow_parts_are_forgotten_at_their_own_rate() -> None:
    tau = 6.0
    model = analytic(0.5, slow=(tau,), amplitude=0.6)
    x = run(model, 40)
    late, lag = x[:, 25], 6
    found = float((late * x[:, 25 + lag]).mean())
    # The fast part (k = γ = 4) is gone after six Δ; what is left is the slow 0.8² of the variance.
    expected = 0.3**2 * 0.64 * np.exp(-lag / tau)
    assert found == pytest.approx(expected, abs=5 * 0.3**2 / (3 * REPLICAS) ** 0.5 + 0.002)


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
    assert bond_angle_validity(path, gpcr.complex.heavy_bonds, past) >= 90.0
    moved, known_spread = path.std(0).mean(), past.std(0).mean()
    assert 0.5 < moved / known_spread < 1.5


def test_slow_times_must_rise() -> None:
    with pytest.raises(ValueError, match="must be positive and rise"):
        NeuralSDESettings(slow=(5.0, 2.0))


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
