"""NeuralMD-OU inside OpenMM: the numpy process, by native forces, on every platform."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import openmm
import pytest
import yaml

import openmm_neuralmd as nmd
from mm_models import make_context
from openmm_neuralmd.dynamics import ou_openmm
from openmm_neuralmd.dynamics.linear_maps import map_forces, symmetric_factors
from openmm_neuralmd.dynamics.ou_openmm import OUInOpenMM
from openmm_neuralmd.dynamics.ou_prediction import Prediction, predict_complex
from openmm_neuralmd.dynamics.ou_snapshots import SnapshotMaker
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.prediction.pose import posed, read_protein
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.run import RunSettings, simulate
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system
from openmm_neuralmd.structure.complex import Complex

PLATFORMS = [("Reference", 1e-9), ("CPU", 1e-9), ("OpenCL", 2e-4)]
STRIDE = 3.0  # ps


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("neuralmd-ou").at_interval(STRIDE)


@pytest.fixture(scope="module")
def mcl1() -> Complex:
    protein, ligand = predict_example()
    return posed(read_protein(protein), read_ligand(ligand), "mcl1")


@pytest.fixture(scope="module")
def prediction(model: Model, mcl1: Complex) -> Prediction:
    return predict_complex(model.dynamics, mcl1)


def started(
    model: Model, complex: Complex, known: Any = None, seed: int = 5, platform: str = "Reference"
) -> openmm.Context:
    integrator = NeuralMDIntegrator(model, complex=complex)
    integrator.setRandomNumberSeed(seed)
    context = make_context(create_system(model, complex), platform, integrator=integrator)
    initialise(context, model, complex, known)
    return context


def ligand(context: openmm.Context, complex: Complex) -> np.ndarray:
    """Heavy atoms (n, 3) in Å."""
    positions = context.getState(positions=True).getPositions(asNumpy=True)
    return 10.0 * positions._value[complex.ligand_heavy]


def expected(context: openmm.Context, complex: Complex, p: Prediction) -> np.ndarray:
    """The snapshot that `ou_snapshots` makes of the integrator's own components and wells."""
    integrator = context.getIntegrator()
    names = [f"a{k}" for k in range(len(p.process.times))]
    own = [integrator.getPerDofVariableByName(name) for name in names]
    a = 10.0 * np.array([[list(v) for v in one] for one in own])[:, complex.ligand_heavy]
    moved = p.process.modes @ a.sum(0).ravel() + (p.process.centre - p.maker.pose).ravel()
    turns = np.zeros(len(p.quadruples))
    for r in np.flatnonzero(p.small):
        well = integrator.getGlobalVariableByName(f"well{r}")
        turns[r] = well - integrator.getGlobalVariableByName(f"known{r}")
    return p.maker(moved[None], turns[None])[0]


def restless(p: Prediction) -> Prediction:
    """The same, three times as far, and with a torsion that changes its well at most steps."""
    wells = np.tile([0.25, 0.25, 0.25, 0.25], (len(p.wells), 1))
    process = replace(p.process, values=p.process.values / 9, covariance=p.process.covariance * 9)
    return replace(p, process=process, wells=wells, hop_rate=1.0, small=np.ones_like(p.small))


def entered(monkeypatch: pytest.MonkeyPatch, model: Model, prediction: Prediction) -> None:
    """Let the model write down another prediction."""
    monkeypatch.setattr(
        type(model.dynamics), "inside_openmm", lambda self, complex: OUInOpenMM(prediction)
    )


@pytest.mark.parametrize("history", [0, 4])
@pytest.mark.parametrize(("platform", "tolerance"), PLATFORMS)
def test_a_step_is_the_snapshot_of_its_components(
    model: Model,
    mcl1: Complex,
    prediction: Prediction,
    platform: str,
    tolerance: float,
    history: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the repair, whose two ends differ by what it leaves, to the last digits."""
    monkeypatch.setattr(SnapshotMaker, "repair", lambda self, x: x)
    monkeypatch.setattr(ou_openmm, "RELAXATION", 0.0)
    known = prediction.trajectories(STRIDE * np.arange(4), seed=9)[0][:history]
    context = started(model, mcl1, known, platform=platform)
    p = prediction.given(known, STRIDE)
    for stride in (0.5, 3.0, 400.0):  # exact at any
        context.getIntegrator().setStepSize(stride)
        context.getIntegrator().step(2)
        x = ligand(context, mcl1)
        np.testing.assert_allclose(x, expected(context, mcl1, p), atol=tolerance)
    assert np.abs(x - p.pose).max() > 0.2


def test_hops_finite_turns_and_the_repair(
    model: Model, mcl1: Complex, prediction: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair ends by another criterion than in numpy, so that little of it may remain."""
    far = restless(prediction)
    entered(monkeypatch, model, far)
    context, wells = started(model, mcl1), set()
    for _ in range(8):
        context.getIntegrator().step(1)
        x = ligand(context, mcl1)
        np.testing.assert_allclose(x, expected(context, mcl1, far), atol=0.02)
        wells.add(round(context.getIntegrator().getGlobalVariableByName("well0"), 6))
    assert np.abs(x - far.pose).max() > 3.0
    assert len(wells) > 1


def test_components_have_the_covariance_and_the_memory_of_the_model(
    model: Model, mcl1: Complex, prediction: Prediction
) -> None:
    """Each mode's variance is s² kT/λ (H⁻¹), and a component's correlation exp(−Δ/τ)."""
    p, steps = prediction.process, 150
    context = started(model, mcl1)
    integrator = context.getIntegrator()
    scale = integrator.getGlobalVariableByName("scale")
    fast = [k for k, tau in enumerate(p.times) if tau < 100 * STRIDE]
    paths = {k: [] for k in fast}
    for _ in range(steps):
        integrator.step(1)
        for k in fast:
            values = integrator.getPerDofVariableByName(f"a{k}")
            chosen = [list(values[i]) for i in mcl1.ligand_heavy.tolist()]
            paths[k].append(10.0 * np.ravel(chosen))
    for k in fast:
        white = np.array(paths[k]) / (scale * np.sqrt(p.variances()[:, k]))
        correlation = np.exp(-STRIDE / p.times[k])
        independent = white.size * (1 - correlation) / (1 + correlation)
        error = np.sqrt(2 / independent)
        assert abs((white**2).mean() - 1) < 5 * error
        assert abs((white[1:] * white[:-1]).mean() - correlation) < 5 * error


def test_snapshots_have_the_distribution_of_the_numpy_process(
    model: Model, mcl1: Complex, prediction: Prediction
) -> None:
    """Independent snapshots (a stride beyond every τ) of one scale: mean and RMSF of each atom."""
    context, steps = started(model, mcl1), 400
    integrator = context.getIntegrator()
    integrator.setStepSize(1e7)
    scale = prediction.process.typical_scale()
    integrator.setGlobalVariableByName("scale", scale)
    own = []
    for _ in range(steps):
        integrator.step(1)
        own.append(ligand(context, mcl1))
    theirs = prediction.snapshots(4000, seed=1, typical=True)
    x = np.array(own)
    spread = theirs.std(axis=0)
    mean_error = np.abs(x.mean(axis=0) - theirs.mean(axis=0)) / spread
    assert mean_error.max() < 4.5 * np.sqrt(1 / steps + 1 / 4000)
    ratio = np.sqrt(x.var(axis=0).sum(-1) / theirs.var(axis=0).sum(-1))
    assert np.abs(ratio - 1).max() < 0.2
    assert abs(ratio.mean() - 1) < 0.05


def test_known_snapshots_are_where_it_starts(
    model: Model, mcl1: Complex, prediction: Prediction
) -> None:
    """In OpenMM and in numpy, also from snapshots that have turned far away from the pose."""
    far = restless(prediction).trajectories(STRIDE * np.arange(6), seed=9)[0]
    context = started(model, mcl1, far)
    np.testing.assert_allclose(ligand(context, mcl1), far[-1], atol=1e-3)
    context.getIntegrator().setStepSize(1e-6)
    context.getIntegrator().step(1)
    np.testing.assert_allclose(ligand(context, mcl1), far[-1], atol=0.02)
    ahead = nmd.rollout(model.at_interval(1e-6), mcl1, far[-1:], 1)
    np.testing.assert_allclose(ahead[0], far[-1], atol=0.02)
    assert np.abs(far[-1] - prediction.pose).max() > 2.0


def test_a_seed_repeats_a_trajectory_also_from_xml(model: Model, mcl1: Complex) -> None:
    paths = []
    for seed in (5, 5, 6):
        context = started(model, mcl1, seed=seed)
        context.getIntegrator().step(3)
        paths.append(ligand(context, mcl1))
    np.testing.assert_array_equal(paths[0], paths[1])
    assert np.abs(paths[0] - paths[2]).max() > 0.05
    system, integrator = create_system(model, mcl1), NeuralMDIntegrator(model, complex=mcl1)
    integrator.setRandomNumberSeed(5)
    copies = [
        openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(one))
        for one in (system, integrator)
    ]
    context = make_context(copies[0], "Reference", integrator=copies[1])
    initialise(context, model, mcl1)
    copies[1].step(3)
    np.testing.assert_allclose(ligand(context, mcl1), paths[0], atol=1e-6)


def test_simulate_resumes_exactly_and_needs_no_history(
    model: Model, mcl1: Complex, tmp_path: Path
) -> None:
    settings = RunSettings(platform="Reference", seed=3)

    class Stop(Exception):
        pass

    def interrupt(done: int, _: str) -> None:
        interrupt.count += done  # type: ignore[attr-defined]
        if interrupt.count == 13:  # type: ignore[attr-defined]
            raise Stop

    interrupt.count = 0  # type: ignore[attr-defined]
    whole = simulate(model, mcl1, None, 20, tmp_path / "whole.dcd", settings=settings)
    with pytest.raises(Stop):
        simulate(
            model, mcl1, None, 20, tmp_path / "part.dcd", settings=settings, progress=interrupt
        )
    rest = simulate(model, mcl1, None, 20, tmp_path / "part.dcd", settings=settings)
    assert rest.resumed_from == 10
    record = yaml.safe_load(whole.provenance.read_text())
    assert record["model"]["kind"] == "neuralmd-ou" and record["interval_ps"] == STRIDE
    trajectory = mdtraj.load(str(whole.trajectory), top=str(whole.topology))
    resumed = mdtraj.load(str(rest.trajectory), top=str(whole.topology))
    np.testing.assert_array_equal(resumed.xyz, trajectory.xyz)
    assert len(trajectory) == 20
    hydrogens = 10 * trajectory.xyz[:, mcl1.ligand]  # virtual sites follow their heavy atoms
    bonds = mcl1.ligand_bonds
    length = np.linalg.norm(hydrogens[:, bonds[:, 0]] - hydrogens[:, bonds[:, 1]], axis=-1)
    assert length.min() > 0.8 and length.max() < 2.1


def test_what_it_needs_is_said(model: Model, mcl1: Complex) -> None:
    with pytest.raises(ModelError, match="complex=complex"):
        NeuralMDIntegrator(model)
    with pytest.raises(ModelError, match="steps of NeuralMD-OU are exact"):
        NeuralMDIntegrator(model, solver="rk4", complex=mcl1)
    with pytest.raises(InputError, match=r"bond orders are not known; give its SDF"):
        create_system(model, replace(mcl1, molecule=None))
    with pytest.raises(ModelError, match="use that stride"):
        load_model("pocket").at_interval(7.0)


@pytest.mark.parametrize("size", [1, 6, 15])
def test_any_matrix_is_a_product_of_symmetric_ones(size: int) -> None:
    matrix = np.random.default_rng(size).normal(size=(size, size))
    matrix[:, : size // 3] = 0.0  # also a singular one
    factors = symmetric_factors(matrix)
    np.testing.assert_allclose(factors[0] @ factors[1] @ factors[2], matrix, atol=1e-12)
    for factor in factors:
        np.testing.assert_allclose(factor, factor.T, atol=1e-12)


@pytest.mark.parametrize("platform", [name for name, _ in PLATFORMS])
def test_a_map_force_is_the_matrix_times_the_positions(platform: str) -> None:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(12, 12))
    matrix = matrix + matrix.T
    x = random.normal(size=(5, 3))
    system = openmm.System()
    for _ in x:
        system.addParticle(1.0)
    moved = [0, 1, 3, 4]  # particle 2 takes no part
    for force in map_forces(moved, matrix, 0):
        system.addForce(force)
    context = make_context(system, platform, x)
    forces = np.array(context.getState(forces=True).getForces(asNumpy=True)._value)
    np.testing.assert_allclose(forces[moved].ravel(), matrix @ x[moved].ravel(), atol=1e-4)
    assert not forces[2].any()
