"""NeuralMDIntegrator: the torch rollout, through OpenMM, and exactly so after a restart."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import openmm
import pytest
import torch
from openmm import unit

from mm_models import INTERVAL, bare_system, make_context, make_known, make_model
from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.dynamics.registry import forecast
from openmm_neuralmd.dynamics.solvers import SOLVERS
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.rollouts import rollout as nmd_rollout
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system

FULL = {"refinement": 0.3, "memory": (3.0, 10.0), "coupling": 0.2, "friction": 0.7, "step": 0.5}
IN_OPENMM = [name for name, solver in SOLVERS.items() if solver.tableau is not None]
PLAIN = {"memory": (), "velocity_map": False, "sweeps": 0}


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))


def rollout(model, complex, known, snapshots):
    """The same dynamics in torch, (S, n, 3) Å."""
    dtype = next(model.dynamics.parameters()).dtype
    c = complex_tensors(complex, dtype)
    valid = torch.ones(1, len(known), dtype=torch.bool)
    with torch.no_grad():
        known = torch.as_tensor(known, dtype=dtype)[None]
        noise = torch.Generator().manual_seed(0)
        return forecast(model.dynamics, c, known, valid, snapshots, noise)[0].double().numpy()


def ligand(context, complex):
    """Heavy atoms (n, 3) in Å."""
    positions = context.getState(positions=True).getPositions(asNumpy=True)
    return positions.value_in_unit(unit.angstrom)[complex.ligand_heavy]


def run(context, complex, snapshots):
    integrator, path = context.getIntegrator(), []
    for _ in range(snapshots):
        integrator.step(2)
        path.append(ligand(context, complex))
    return np.array(path)


def started(model, complex, known, platform="Reference", precision="double", **options):
    system = create_system(model, complex, precision=precision, **options)
    context = make_context(system, platform, integrator=NeuralMDIntegrator(model))
    initialise(context, model, complex, known)
    return context


@pytest.mark.parametrize("settings", [FULL, PLAIN], ids=["full", "plain"])
@pytest.mark.parametrize("solver", IN_OPENMM)
def test_twenty_snapshots_agree_with_the_torch_rollout(t4l, solver, settings):
    model, known = make_model(solver=solver, **settings), make_known(t4l)
    expected = rollout(model, t4l, known, 20)
    context = started(model, t4l, known)
    found = run(context, t4l, 20)
    assert np.abs(found - expected).max() < 1e-4
    assert np.abs(expected[-1] - known[-1]).max() > 0.1  # it moves, and the force has a part in it
    weak = make_model(solver=solver, **settings)
    with torch.no_grad():
        for parameter in weak.dynamics.network.head.parameters():
            parameter.zero_()
    assert np.abs(rollout(weak, t4l, known, 20) - expected).max() > 0.01


@pytest.mark.parametrize("solver", IN_OPENMM)
def test_cpu_platform_in_single_precision(t4l, solver):
    model, known = make_model(solver=solver, **FULL), make_known(t4l)
    context = started(model, t4l, known, "CPU", "single")
    assert np.abs(run(context, t4l, 20) - rollout(model, t4l, known, 20)).max() < 1e-2


def test_a_periodic_complex(gpcr):
    """43 heavy atoms in a box, known snapshots from the trajectory, both force backends."""
    model, known = make_model(**FULL), gpcr[:5]
    expected = rollout(model, gpcr.complex, known.ligand, 3)
    for backend in ("TorchForce", "PythonForce"):
        context = started(model, gpcr.complex, known, backend=backend)
        assert np.abs(run(context, gpcr.complex, 3) - expected).max() < 1e-4


@pytest.mark.parametrize("solver", IN_OPENMM)
def test_order_of_a_damped_oscillator(solver):
    """Truth: x'' = −k x − γ x' by its formula; errors shrink with the solver's order."""
    gamma, k, end = 0.3, 1.5, 4.0
    omega = np.sqrt(k - gamma**2 / 4)
    truth = np.exp(-gamma * end / 2) * (
        np.cos(omega * end) + gamma / (2 * omega) * np.sin(omega * end)
    )
    errors = []
    for steps in (32, 64, 128):
        model = make_model(solver=solver, step=1 / steps, friction=gamma, **PLAIN)
        system = openmm.System()
        system.addParticle(1.0)
        spring = openmm.CustomExternalForce(f"{k / INTERVAL**2}/2*x^2")
        spring.addParticle(0, [])
        spring.setForceGroup(1)
        system.addForce(spring)
        integrator = NeuralMDIntegrator(model)
        integrator.setGlobalVariableByName("force_unit", 1.0)  # the spring is in kJ/mol/nm
        context = make_context(system, positions=[[1.0, 0.0, 0.0]], integrator=integrator)
        integrator.step(round(steps * end))
        assert context.getTime() / unit.picosecond == pytest.approx(end * INTERVAL)
        x = context.getState(positions=True).getPositions(asNumpy=True)[0, 0]
        errors.append(abs(x.value_in_unit(unit.nanometer) - truth))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[-1] == pytest.approx({"euler": 1, "midpoint": 2, "rk4": 4}[solver], abs=0.2)


def test_memory_starts_from_the_known_snapshots(t4l):
    model, known = make_model(**FULL), make_known(t4l)
    context = started(model, t4l, known)
    tau = model.dynamics.memory.detach().numpy()
    for p, time in enumerate(tau):
        weights = np.exp(-np.arange(len(known))[::-1] / time)
        expected = np.einsum("t,tnc->nc", weights / weights.sum(), known)
        y = context.getIntegrator().getPerDofVariableByName(f"y{p}")
        found = np.array([[v.x, v.y, v.z] for v in y])[t4l.ligand_heavy] * 10.0
        assert np.abs(found - expected).max() < 1e-9


def test_velocity_comes_from_the_last_two_known_snapshots(t4l):
    model, known = make_model(**PLAIN), make_known(t4l)
    context = started(model, t4l, known)
    velocities = context.getState(velocities=True).getVelocities(asNumpy=True)
    found = velocities.value_in_unit(unit.angstrom / unit.picosecond)
    step = (known[-1] - known[-2]) / INTERVAL
    assert np.abs(found[t4l.ligand_heavy] - step).max() < 1e-12
    assert (np.delete(found, t4l.ligand_heavy, axis=0) == 0.0).all()
    only_last = started(model, t4l, known[-1:])
    assert not only_last.getState(velocities=True).getVelocities(asNumpy=True).any()


def test_a_new_context_starts_from_the_complex(t4l):
    model = make_model(**FULL)
    for platform in ("Reference", "CPU"):
        context = started(model, t4l, None, platform)
        here = t4l.positions[t4l.ligand_heavy] * 10.0
        assert np.abs(ligand(context, t4l) - here).max() < 1e-9


def test_nothing_crosses_a_break_between_replicas(gpcr):
    """Snapshots 80 to 90 hold a break at 84; only what follows it is known."""
    model = make_model(**FULL)
    across, after = (started(model, gpcr.complex, gpcr[a:90]) for a in (80, 84))
    for name in ("x", "v"):
        states = [c.getState(positions=True, velocities=True) for c in (across, after)]
        pick = {"x": "getPositions", "v": "getVelocities"}[name]
        a, b = (getattr(state, pick)(asNumpy=True)._value for state in states)
        assert (a == b).all()
    a, b = (np.array(c.getIntegrator().getPerDofVariableByName("y1")) for c in (across, after))
    assert (a == b).all()


def test_without_known_snapshots_the_context_is_the_only_one(t4l):
    model, known = make_model(**FULL), make_known(t4l)
    context = started(model, t4l, known)
    context.getIntegrator().step(7)
    here = ligand(context, t4l)
    initialise(context, model, t4l)
    assert context.getStepCount() == 0
    found = run(context, t4l, 3)
    assert np.abs(found - rollout(model, t4l, here[None], 3)).max() < 1e-6


@pytest.mark.parametrize("platform", ["Reference", "CPU"])
def test_checkpoint_and_restart_continue_exactly(t4l, platform):
    model, known = make_model(solver="midpoint", **FULL), make_known(t4l)
    context = started(model, t4l, known, platform, "single")
    run(context, t4l, 3)
    saved = context.createCheckpoint()
    on = run(context, t4l, 4)
    again = started(model, t4l, known, platform, "single")
    again.loadCheckpoint(saved)
    assert again.getStepCount() == 6
    tolerance = 0.0 if platform == "Reference" else 1e-12
    assert np.abs(run(again, t4l, 4) - on).max() <= tolerance
    # The memory is part of the checkpoint: without it the path is another one.
    forgetful = started(model, t4l, known, platform, "single")
    forgetful.loadCheckpoint(saved)
    for p in range(2):
        forgetful.getIntegrator().setPerDofVariableByName(f"y{p}", t4l.positions)
    assert np.abs(run(forgetful, t4l, 4) - on).max() > 1e-3


def test_integrator_survives_xml(t4l):
    model, known = make_model(solver="rk4", **FULL), make_known(t4l)
    integrator = openmm.XmlSerializer.clone(NeuralMDIntegrator(model))
    assert type(integrator) is openmm.CustomIntegrator
    context = make_context(create_system(model, t4l, precision="double"), integrator=integrator)
    initialise(context, model, t4l, known)
    assert np.abs(run(context, t4l, 3) - rollout(model, t4l, known, 3)).max() < 1e-6


def test_steps_and_interval():
    integrator = NeuralMDIntegrator(make_model(step=0.25))
    assert integrator.stepsPerSnapshot == 4
    assert integrator.getStepSize() / unit.picosecond == INTERVAL / 4


def test_dopri5_is_refused_with_the_solvers_that_work():
    with pytest.raises(ModelError, match=r"'dopri5' does not run inside OpenMM.*euler, midpoint"):
        NeuralMDIntegrator(make_model(solver="dopri5"))


def test_another_temperature_is_refused():
    model = make_model()
    NeuralMDIntegrator(model, temperature=300.0 * unit.kelvin)
    with pytest.raises(ModelError, match="trained at 300 K, not 310 K"):
        NeuralMDIntegrator(model, temperature=310.0)


def test_wrong_known_snapshots_are_refused(t4l):
    model = make_model()
    context = make_context(bare_system(t4l), positions=t4l.positions)
    with pytest.raises(InputError, match=r"shape \(4, 7, 3\), expected \(T, 8, 3\)"):
        initialise(context, model, t4l, make_known(t4l)[:, :7])
    with pytest.raises(InputError, match="not finite"):
        initialise(context, model, t4l, make_known(t4l) * np.nan)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["PythonForce", "TorchForce"])
def test_memory_does_not_grow_with_the_steps(t4l, backend):
    resident = Path("/proc/self/statm")
    if not resident.exists():
        pytest.skip("no /proc on this system to read the resident size from")
    if backend == "TorchForce":
        pytest.importorskip("openmmtorch")
    context = started(make_model(sweeps=0), t4l, make_known(t4l), "CPU", "single", backend=backend)
    integrator = context.getIntegrator()
    integrator.step(500)
    before = int(resident.read_text().split()[1])  # pages
    integrator.step(2000)
    grown = (int(resident.read_text().split()[1]) - before) * resource.getpagesize()
    assert grown < 2000 * 10_000  # 10 kB a step


@pytest.mark.parametrize(("platform", "precision"), [("Reference", "double"), ("CPU", "single")])
def test_the_sde_without_noise_is_the_torch_rollout(t4l, platform, precision):
    # A window without end: one pose, the mean of what is known, and a hop leads to where it was.
    model = make_model(kind="neuralmd-sde", poses=1, window=10**6)
    known = make_known(t4l, 12)
    with torch.no_grad():
        model.dynamics.raw_amplitude.fill_(-40.0)
    expected = rollout(model, t4l, known, 20)
    context = started(model, t4l, known, platform, precision)
    found = run(context, t4l, 20)
    assert np.abs(found - expected).max() < (1e-4 if precision == "double" else 1e-2)
    assert np.abs(expected[-1] - known[-1]).max() > 0.1


def test_the_sde_has_the_distribution_of_the_torch_rollout(t4l):
    """Means, spreads and correlations of 2 x 400 futures differ by no more than chance does."""
    replicas, snapshots = 400, 3
    model = make_model(kind="neuralmd-sde", dtype=torch.float32, window=2, poses=3, modes=4)
    known = make_known(t4l, 12)
    torch_futures = nmd_rollout(model, t4l, known, snapshots, replicas=replicas, seed=3)
    system = create_system(model, t4l)
    integrator = NeuralMDIntegrator(model)
    integrator.setRandomNumberSeed(5)
    context = make_context(system, "CPU", integrator=integrator)
    futures = []
    for _ in range(replicas):
        initialise(context, model, t4l, known)
        futures.append(run(context, t4l, snapshots))
    a, b = (np.asarray(x)[:, -1].reshape(replicas, -1) for x in (torch_futures, futures))
    spread = np.concatenate((a, b)).std(0)
    assert spread.min() > 0.01
    error = spread * (2 / replicas) ** 0.5
    # 24 coordinates: 4.5 standard errors are exceeded by chance once in 6,000 runs.
    assert (np.abs(a.mean(0) - b.mean(0)) < 4.5 * error).all()
    assert np.abs(np.log(a.std(0) / b.std(0))).max() < 4.5 / replicas**0.5
    assert np.abs(np.corrcoef(a.T) - np.corrcoef(b.T)).max() < 6 * (2 / replicas) ** 0.5


def test_the_sde_repeats_with_its_seed(t4l):
    model, known = make_model(kind="neuralmd-sde", modes=4), make_known(t4l, 12)
    paths = []
    for seed in (7, 7, 8):
        integrator = NeuralMDIntegrator(model)
        integrator.setRandomNumberSeed(seed)
        context = make_context(create_system(model, t4l), "CPU", integrator=integrator)
        initialise(context, model, t4l, known)
        paths.append(run(context, t4l, 3))
    assert np.array_equal(paths[0], paths[1]) and not np.allclose(paths[0], paths[2])


def test_only_jumping_dynamics_run_in_openmm(t4l):
    with pytest.raises(ModelError, match="does not jump inside OpenMM"):
        NeuralMDIntegrator(make_model(kind="gnn-md"))
    with pytest.raises(ModelError, match="leave solver='rk4' out"):
        NeuralMDIntegrator(make_model(kind="neuralmd-sde"), solver="rk4")
