"""NeuralMD-ODE: solver order, friction, memory, and nothing from the future."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from dynamics_cases import SMALL, Nothing, point, small
from openmm_neuralmd.bindingnet.inputs import collate, complex_tensors
from openmm_neuralmd.bindingnet.network import Protein
from openmm_neuralmd.dynamics.naive import NAIVE
from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
from openmm_neuralmd.dynamics.registry import LEARNED, forecast
from openmm_neuralmd.dynamics.solvers import SOLVERS
from openmm_neuralmd.dynamics.state import State, last_step, remember
from openmm_neuralmd.model import load_model
from openmm_neuralmd.rollouts import rollout
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.nested import rows


class Spring(nn.Module):
    """The network replaced by a force that has an analytic solution: F = −k x."""

    def forward(self, z: Tensor, x: Tensor, mask: Tensor, protein: Protein) -> Tensor:
        return -(2.0**2) * x


def analytic_model(force: nn.Module, **kwargs) -> NeuralODE:
    kwargs = {"memory": (), "velocity_map": False, "friction": 1e-13, **kwargs}
    model = NeuralODE(NeuralODESettings(network=SMALL, **kwargs)).double()
    model.network = force
    return model


def run(model: NeuralODE, x0: float, v0: float, snapshots: int, memory: Tensor | None = None):
    x = torch.full((1, 1, 3), x0, dtype=torch.float64)
    y = (
        torch.zeros(1, 0, 1, 3).double()
        if memory is None
        else memory.view(1, -1, 1, 1).expand(-1, -1, 1, 3)
    )
    protein = Protein(*(torch.zeros(1, 1),) * 8)
    start = State(x, torch.full_like(x, v0), y, torch.zeros(1, 0).double())
    with torch.no_grad():
        path, _ = model.integrate(point(), protein, start, snapshots)
    return path[0, :, 0, 0].numpy()


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("midpoint", 2), ("rk4", 4)])
def test_solver_order_on_the_harmonic_oscillator(solver: str, order: int) -> None:
    exact = np.cos(2.0 * np.arange(1, 4))
    steps = np.array([1 / 32, 1 / 64, 1 / 128])
    errors = [
        np.abs(run(analytic_model(Spring(), solver=solver, step=float(h)), 1.0, 0.0, 3) - exact)[-1]
        for h in steps
    ]
    fitted = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(fitted - order) <= 0.2


def test_dopri5_reaches_its_tolerance() -> None:
    exact = np.cos(2.0 * np.arange(1, 4))
    path = run(analytic_model(Spring(), solver="dopri5"), 1.0, 0.0, 3)
    assert np.abs(path - exact).max() < 1e-5


def test_friction_damps_exponentially() -> None:
    gamma = 0.7
    path = run(analytic_model(Nothing(), friction=gamma, solver="rk4", step=0.125), 0.0, 1.0, 4)
    exact = (1 - np.exp(-gamma * np.arange(1, 5))) / gamma
    assert np.abs(path - exact).max() < 1e-5


def test_memory_pulls_towards_the_past() -> None:
    """With friction γ, one memory (k, τ): x − y decays, x moves to a point between x and y."""
    model = analytic_model(
        Nothing(), friction=2.0, memory=(4.0,), coupling=0.5, solver="rk4", step=0.125
    )
    path = run(model, 1.0, 0.0, 60, memory=torch.tensor([0.0]).double())
    # dx/dt = v, dv/dt = −γ v − k l, dl/dt = v − l/τ for l = x − y: linear, so exact.
    a = np.array([[0, 1, 0], [0, -2.0, -0.5], [0, 1, -0.25]])
    values, vectors = np.linalg.eig(a)
    start = np.linalg.solve(vectors, np.array([1.0, 0.0, 1.0]))
    exact = np.array([(vectors @ (np.exp(values * t) * start)).real[0] for t in range(1, 61)])
    assert np.abs(path - exact).max() < 1e-4
    assert 0.0 < path[-1] < 1.0


def test_adjoint_gives_the_same_gradient(gpcr: Snapshots) -> None:
    gradients = []
    for adjoint in (False, True):
        torch.manual_seed(1)
        settings_ = NeuralODESettings(network=SMALL, solver="rk4", step=0.125, adjoint=adjoint)
        model = NeuralODE(settings_).double()
        c = complex_tensors(gpcr.complex, torch.float64)
        known = torch.as_tensor(gpcr.ligand[:4]).unsqueeze(0)
        out = forecast(model, c, known, torch.ones(1, 4, dtype=torch.bool), 1)
        out.square().mean().backward()
        weight = model.network.interaction.layers[0].feature.weight
        assert weight.grad is not None
        gradients.append(weight.grad.clone())
    assert (gradients[0] - gradients[1]).norm() <= 1e-2 * gradients[0].norm()


@given(st.integers(2, 20), st.integers(0, 10))
@settings(deadline=None, max_examples=25)
def test_padding_of_a_history_changes_nothing(length: int, padding: int) -> None:
    known = torch.randn(1, length, 3, 3, generator=torch.Generator().manual_seed(length)).double()
    tau = torch.tensor([0.5, 7.0, 1e9]).double()
    valid = torch.ones(1, length, dtype=torch.bool)
    padded = torch.cat((torch.full((1, padding, 3, 3), 99.0).double(), known), dim=1)
    mask = torch.cat((torch.zeros(1, padding, dtype=torch.bool), valid), dim=1)
    assert torch.allclose(remember(padded, mask, tau), remember(known, valid, tau), atol=1e-12)
    assert torch.equal(last_step(padded, mask), last_step(known, valid))


def test_memory_of_a_long_time_is_the_mean() -> None:
    known = torch.randn(1, 9, 4, 3).double()
    valid = torch.ones(1, 9, dtype=torch.bool)
    y = remember(known, valid, torch.tensor([1e12, 1e-3]).double())
    assert torch.allclose(y[:, 0], known.mean(1), atol=1e-9)
    assert torch.allclose(y[:, 1], known[:, -1], atol=1e-12)


def test_one_known_snapshot_has_no_velocity() -> None:
    known = torch.randn(1, 1, 4, 3)
    assert torch.equal(last_step(known, torch.ones(1, 1, dtype=torch.bool)), torch.zeros(1, 4, 3))


@pytest.mark.parametrize("name", [*LEARNED, *NAIVE])
def test_no_forecast_reads_the_future(name: str, gpcr: Snapshots) -> None:
    """Every dynamics, given a trajectory whose future is replaced, forecasts the same."""
    present = 40
    real = torch.as_tensor(gpcr.ligand[:80])
    other = real.clone()
    other[present + 1 :] += 5.0 * torch.randn(other[present + 1 :].shape).double()
    forecasts = []
    for path in (real, other):
        if name in NAIVE:
            bonds = torch.as_tensor(gpcr.complex.site_bonds)
            forecaster = NAIVE[name].fit([path[: present + 1]], bonds=bonds, horizon=5)
            forecasts.append(forecaster.forecast(path[: present + 1], 5))
        else:
            torch.manual_seed(0)
            model = small(name)
            known = path[None, : present + 1]
            valid = torch.ones(known.shape[:2], dtype=torch.bool)
            c = complex_tensors(gpcr.complex, torch.float64)
            noise = torch.Generator().manual_seed(0)
            with torch.no_grad():
                forecasts.append(forecast(model, c, known, valid, 5, noise)[0])
    assert torch.equal(forecasts[0], forecasts[1])
    assert torch.isfinite(forecasts[0]).all()


def test_protein_is_encoded_once_in_a_rollout(
    gpcr: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = NeuralODE(NeuralODESettings(network=SMALL))
    calls = {"protein": 0, "force": 0}
    for part, name in ((model.network.protein, "protein"), (model.network.ligand, "force")):
        part.register_forward_hook(lambda *_, name=name: calls.__setitem__(name, calls[name] + 1))
    c = complex_tensors(gpcr.complex)
    known = torch.as_tensor(gpcr.ligand[:5], dtype=torch.float32).unsqueeze(0)
    with torch.no_grad():
        forecast(model, c, known, torch.ones(1, 5, dtype=torch.bool), 6)
    assert calls == {"protein": 1, "force": 12}


def test_forecast_keeps_bonds_and_angles(gpcr: Snapshots) -> None:
    """After a hard push every bond and angle is back within a few per cent of its length."""
    torch.manual_seed(0)
    deviation = {}
    for sweeps in (0, 20):
        model = NeuralODE(NeuralODESettings(network=SMALL, velocity_map=False, sweeps=sweeps))
        c = complex_tensors(gpcr.complex, torch.float64)
        known = torch.as_tensor(gpcr.ligand[:30]).unsqueeze(0)
        state = model.double().start(c, known, torch.ones(1, 30, dtype=torch.bool))
        push = torch.randn(state.v.shape, generator=torch.Generator().manual_seed(2)).double()
        with torch.no_grad():
            path, _ = model.integrate(c, model.encode(c), state._replace(v=push), 1)
        i, j = c.pairs[0].unbind(-1)
        lengths = (path[0, -1, i] - path[0, -1, j]).norm(dim=-1)
        deviation[sweeps] = float((lengths / state.lengths[0] - 1).abs().max())
    assert deviation[0] > 0.5 and deviation[20] < 0.15


def test_projection_of_a_padded_batch_is_that_of_each(gpcr: Snapshots, t4l) -> None:
    torch.manual_seed(0)
    model = NeuralODE(NeuralODESettings(network=SMALL)).double()
    singles = [complex_tensors(c, torch.float64) for c in (gpcr.complex, t4l)]
    known = [
        torch.as_tensor(10 * c.positions[c.ligand_heavy]).expand(1, 3, -1, -1)
        for c in (gpcr.complex, t4l)
    ]
    valid = torch.ones(1, 3, dtype=torch.bool)
    batch = collate(singles)
    padded = torch.zeros(2, 3, batch.z.shape[1], 3).double()
    for i, k in enumerate(known):
        padded[i, :, : k.shape[2]] = k[0]
    with torch.no_grad():
        together = forecast(model, batch, padded, valid.expand(2, -1), 3)
        for i, (c, k) in enumerate(zip(singles, known, strict=True)):
            alone = forecast(model, c, k, valid, 3)
            assert torch.allclose(together[i, :, : k.shape[2]], alone[0], atol=1e-9)


def test_a_step_that_does_not_divide_the_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="does not divide the snapshot interval"):
        NeuralODESettings(step=0.3)


def test_a_long_forecast_comes_to_rest_whatever_friction_was_learned(gpcr: Snapshots) -> None:
    """Beyond 2/step a velocity along bonds, whose motion is taken back, would grow for ever."""
    model = small("neuralmd-ode", friction=4.5, memory=(4.0,), coupling=4.0)
    for parameter in model.network.head.parameters():
        parameter.data.zero_()
    assert model.friction.item() == pytest.approx(4.0)
    c = complex_tensors(gpcr.complex, torch.float64)
    c = rows(c, torch.zeros(1, dtype=torch.int64))
    known = torch.as_tensor(gpcr.ligand[None, 167:200])
    with torch.no_grad():
        path = forecast(model, c, known, torch.ones(1, 33, dtype=torch.bool), 80)
    assert (path[0, -1] - path[0, -2]).abs().max() < 0.02
    assert (path[0, -1] - known[0].mean(0)).norm(dim=-1).max() < 6.0


@pytest.mark.parametrize(("solver", "limit"), [("euler", 4.0), ("midpoint", 4.0), ("rk4", 5.56)])
def test_friction_comes_back_from_its_bound(solver: str, limit: float) -> None:
    model = small("neuralmd-ode", friction=9.0, solver=solver)
    assert model.friction.item() == pytest.approx(limit)
    model.friction.backward()
    assert model.raw_friction.grad.item() > 0.99
    assert small("neuralmd-ode", friction=9.0, solver="dopri5").friction.item() == pytest.approx(
        9.0
    )


def test_the_bound_is_not_seen_in_the_forecasts_of_the_results_page(
    gpcr: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of 5-HT1B was made before there was one; its models had learned a little more."""
    model, known = load_model("gpcr-ergotamine"), gpcr.ligand[167:200]
    bounded = rollout(model, gpcr.complex, known, 20)
    unbounded = SOLVERS["euler"]._replace(stability_limit=float("inf"))
    monkeypatch.setitem(SOLVERS, "euler", unbounded)
    free = rollout(model, gpcr.complex, known, 20)
    assert 0 < np.abs(free - bounded).max() < 0.01
