"""Checks of mechanics: right where the answer is known, and failing where they have to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import pytest
import torch
from openmm import app, unit
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from dynamics_cases import small
from mm_models import make_known, make_model
from openmm_neuralmd.assessment.check import (
    Check,
    judged,
    reported,
    skipped,
    thresholds,
)
from openmm_neuralmd.assessment.mechanics.conservation import conservation
from openmm_neuralmd.assessment.mechanics.derivatives import (
    asymmetry,
    derivatives_of,
    gradient_error,
)
from openmm_neuralmd.assessment.mechanics.drift import (
    Energies,
    degrees_of_freedom,
    drift,
    run_nve,
)
from openmm_neuralmd.assessment.mechanics.nve import NVESettings, nve, slope_check
from openmm_neuralmd.assessment.mechanics.solvers import (
    convergence,
    model_convergence,
    reversal_error,
    velocity_verlet,
)
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.errors import SimulationError
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.energy import energy_trainer
from openmm_neuralmd.training.force_matching import ForceMatchingSettings
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.trajectory.history import History

TAF12 = Path(__file__).parents[2] / "validation" / "reference_sets" / "rigid" / "taf12"
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(5, 3))


# --- Verdicts


def test_a_verdict_is_the_threshold_of_the_file() -> None:
    limit = thresholds()["energy-gradient"].threshold
    assert isinstance(limit, float)
    assert judged("energy-gradient", limit).outcome == "pass"
    assert judged("energy-gradient", 2 * limit).outcome == "fail"
    for lost in (math.nan, math.inf):
        check = judged("energy-gradient", lost)
        assert check.value == [] and check.outcome == "fail"
    assert reported("energy-gradient", 7.0, "why").outcome == "reported"
    check = skipped("nve-drift", "no energy")
    assert check.value == [] and check.threshold == thresholds()["nve-drift"].words()
    with pytest.raises(KeyError):
        judged("no such check", 0.0)


# --- Derivatives


def quartic(x: np.ndarray) -> tuple[float, np.ndarray]:
    """An energy that couples three coordinates, and its forces."""
    slope = 4 * x**3
    slope[0, 0] += x[1, 1] * x[2, 2]
    slope[1, 1] += x[0, 0] * x[2, 2]
    slope[2, 2] += x[0, 0] * x[1, 1]
    return float((x**4).sum() + x[0, 0] * x[1, 1] * x[2, 2]), -slope


def test_a_gradient_is_told_from_one_that_is_nearly_it() -> None:
    slope, jacobian = derivatives_of(quartic, X)
    forces = quartic(X)[1]
    assert gradient_error(forces, slope) < 1e-10
    assert gradient_error(1.0001 * forces, slope) == pytest.approx(1e-4, rel=1e-3)
    assert asymmetry(jacobian) < 1e-10
    np.testing.assert_allclose(np.diag(jacobian), -12 * X.ravel() ** 2, rtol=1e-7)
    assert jacobian[0, 4] == pytest.approx(-X[2, 2], rel=1e-7)


def test_asymmetry_of_known_matrices() -> None:
    swirl = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]])
    pull = np.diag([1.0, 1, 0])  # as long as the swirl
    assert asymmetry(swirl) == pytest.approx(1.0) and asymmetry(pull) == 0.0
    assert asymmetry(swirl + pull) == pytest.approx(np.sqrt(0.5))
    random = RANDOM.normal(size=(300, 300))
    assert asymmetry(random) == pytest.approx(np.sqrt(0.5), abs=0.01)
    _, found = derivatives_of(lambda x: (0.0, x @ (swirl + pull)), X[:1])
    np.testing.assert_allclose(found, swirl + pull, atol=1e-10)


# --- Solvers


def explicit(name: str, h: float, steps: int) -> np.ndarray:
    """dx/dt = −x³ from X, by a method written out here."""
    x = X
    for _ in range(steps):
        k1 = -(x**3)
        if name == "euler":
            x = x + h * k1
        else:
            x = x + h * -((x + h / 2 * k1) ** 3)
    return x


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("midpoint", 2)])
def test_the_fitted_order_is_that_of_the_method(name: str, order: int) -> None:
    found = convergence(lambda steps: explicit(name, 1 / steps, steps), way=1.0, first=8)
    assert found.order == pytest.approx(order, abs=0.1)
    exact = X / np.sqrt(1 + 2 * X**2)
    error = np.linalg.norm(explicit(name, 1 / 8, 8) - exact, axis=-1).max()
    assert found.first_error == pytest.approx(error, rel=0.02)


def test_an_exact_solution_ends_the_refinement() -> None:
    """Where differences are rounding there is no order to fit: two of them are all that is made."""
    noise = np.random.default_rng(0)
    found = convergence(lambda steps: X + 1e-15 * noise.normal(size=X.shape), way=1.0)
    assert len(found.differences) == 2


def test_velocity_verlet_on_the_oscillator() -> None:
    def pull(x: np.ndarray) -> np.ndarray:
        return -4.0 * x

    v = np.zeros_like(X)

    def end(steps: int) -> np.ndarray:
        return velocity_verlet(pull, X, v, 1 / steps, steps)[0]

    assert convergence(end, way=1.0, first=8).order == pytest.approx(2, abs=0.05)
    x, _ = velocity_verlet(pull, X, v, 1e-3, 1000)
    np.testing.assert_allclose(x, X * np.cos(2.0), atol=1e-5)


def test_only_a_force_of_positions_finds_its_way_back() -> None:
    swirl = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]])
    v = RANDOM.normal(size=X.shape)
    assert reversal_error(lambda x: x @ swirl, X, v, 0.05, 40) < 1e-13
    past: list[np.ndarray] = [X]

    def remembering(x: np.ndarray) -> np.ndarray:
        past.append(x)
        return past[-2] - x

    assert reversal_error(remembering, X, v, 0.05, 40) > 1e-3


def wrapped(dynamics: Any, kind: str) -> Model:
    card = ModelCard(
        name="small",
        kind=kind,
        settings={},
        interval_ps=80.0,
        elements=[6, 7, 8],
        residue_types=list(range(21)),
    )
    return Model(dynamics.eval(), card)


@pytest.fixture(scope="module")
def pocket(t4l: Complex) -> Complex:
    """p-xylene and the residues near it: a solver's order does not depend on the protein's size."""
    distant = [
        residue
        for residue in t4l.topology.residues()
        if cdist(t4l.positions[[a.index for a in residue.atoms()]], t4l.positions[t4l.ligand]).min()
        > 0.5
    ]
    part = app.Modeller(t4l.topology, t4l.positions * unit.nanometer)
    part.delete(distant)
    return Complex.from_openmm(part.topology, part.positions)


@pytest.mark.parametrize(
    ("kind", "settings", "order"),
    [
        ("neuralmd-ode", {"solver": "euler"}, 1),
        ("neuralmd-ode", {"solver": "midpoint"}, 2),
        ("neuralmd-ode", {"solver": "rk4"}, 4),
        ("verletmd", {}, 2),
    ],
)
def test_the_order_of_a_models_own_solver(
    pocket: Complex, kind: str, settings: dict[str, Any], order: int
) -> None:
    model = wrapped(small(kind, **settings), kind)
    with torch.no_grad():  # stiff enough that the solver has something to get wrong
        for parameter in model.dynamics.network.head.parameters():
            parameter.mul_(5.0)
    found = model_convergence(model, History.of(make_known(pocket), pocket))
    assert model.dynamics.convergence_order == order
    assert found.order == pytest.approx(order, abs=0.2)
    assert found.steps[0] == 2


def test_a_solver_without_steps_of_its_own_has_no_order() -> None:
    for kind, settings in (("neuralmd-ode", {"solver": "dopri5"}), ("gnn-md", {})):
        assert small(kind, **settings).convergence_order is None


# --- All checks of a model


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.parametrize("kind", list(LEARNED))
def test_every_dynamics_passes_or_says_why_not(t4l: Complex, kind: str) -> None:
    notes: list[str] = []
    model = wrapped(small(kind), kind)
    found = by_name(
        conservation(model, History.of(make_known(t4l), t4l), lambda n, note: notes.append(note))
    )
    assert len(notes) == 4 and set(found) < set(thresholds())
    assert all(check.outcome != "fail" for check in found.values()), found
    assert all(check.note for check in found.values() if check.outcome not in ("pass", "fail"))
    stochastic = LEARNED[kind].stochastic
    assert found["forecast-equivariance"].outcome == ("not measured" if stochastic else "pass")
    checks, drifts = nve(model, None)
    assert not drifts and all("no energy model" in check.note for check in checks)


class Wind(nn.Module):
    """A force head that adds what does not turn with the complex."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, *arguments: Tensor) -> Tensor:
        force: Tensor = self.head(*arguments)
        return force + 0.1 * force.norm() * torch.eye(3, dtype=force.dtype)[0]


def test_a_force_that_does_not_turn_is_found(t4l: Complex) -> None:
    model = make_model("force")
    model.dynamics.network.head = Wind(model.dynamics.network.head)
    found = by_name(conservation(model, History.of(make_known(t4l), t4l)))
    assert found["force-equivariance"].outcome == "fail"
    assert found["forecast-equivariance"].outcome == "fail"
    assert found["jacobian-asymmetry"].value[0] > 1e-3


# --- Energy without a thermostat


def test_drift_of_a_line_with_noise() -> None:
    """2 kJ/mol/ns of ten degrees of freedom at 300 K, in a noise that hides it or does not."""
    time = np.linspace(0, 1000, 2001)  # ps
    random = np.random.default_rng(0)
    kt = 0.00831446261815324 * 300
    kinetic = 5 * kt + 3.0 * random.normal(size=len(time))
    quiet = drift(Energies(time, 7.0 + 2e-3 * time + 0.01 * random.normal(size=2001), kinetic, 10))
    assert quiet.temperature == pytest.approx(300, rel=0.02)
    assert quiet.slope == pytest.approx(2 / kt / 10, rel=0.03)
    assert quiet.share == pytest.approx(2 / 3, rel=0.05)
    assert quiet.resolution < 1e-3 * quiet.slope * 10
    slopes = [drift(Energies(time, random.normal(size=2001), kinetic, 10)) for _ in range(200)]
    outside = np.mean([abs(d.slope) > d.resolution for d in slopes])
    assert 0.005 < outside < 0.12  # two standard errors: 5 % of the time


def test_a_correlated_noise_is_worth_fewer_energies() -> None:
    random = np.random.default_rng(1)
    time, kinetic = np.arange(2000.0), 10 + random.normal(size=2000)
    found = []
    for _ in range(60):
        noise = np.zeros(2000)
        for k in range(1, 2000):
            noise[k] = 0.95 * noise[k - 1] + random.normal()
        found.append(drift(Energies(time, noise, kinetic, 6)))
    outside = np.mean([abs(d.slope) > d.resolution for d in found])
    assert outside < 0.2  # 20 correlated energies counted as independent: 65 %


@pytest.mark.parametrize(
    ("slope", "resolution", "outcome"),
    [(1e-4, 1e-5, "pass"), (-1e-4, 1e-5, "pass"), (1e-2, 1e-3, "fail"), (1e-4, 1e-2, "reported")],
)
def test_a_drift_is_not_judged_from_too_short_a_run(
    slope: float, resolution: float, outcome: str
) -> None:
    found = drift(Energies(np.arange(9.0), np.arange(9.0) % 2, 1 + np.arange(9.0) % 3, 3))
    changed = type(found)(**{**found.as_dict(), "slope": slope, "resolution": resolution})
    assert slope_check(changed).outcome == outcome


def springs(count: int = 8) -> tuple[openmm.System, np.ndarray]:
    """Diatomic molecules far apart, one bond in two a constraint."""
    system, bonds = openmm.System(), openmm.HarmonicBondForce()
    positions = []
    for k in range(count):
        for side in (0, 1):
            system.addParticle(12.0)
            positions.append([2.0 * k, 0.15 * side, 0.0])
        bonds.addBond(2 * k, 2 * k + 1, 0.15, 2e5)
        if k % 2:
            system.addConstraint(2 * k, 2 * k + 1, 0.15)
    system.addForce(bonds)
    return system, np.array(positions)


def swirl(state: openmm.State) -> tuple[float, np.ndarray]:
    """A force about the molecule's own axis that no energy belongs to."""
    x = state.getPositions(asNumpy=True)._value
    middle = x.reshape(-1, 2, 3).mean(1).repeat(2, axis=0)
    return 0.0, 200.0 * np.cross([0.0, 0.0, 1.0], x - middle)


RUN = {"picoseconds": 10.0, "timestep_fs": 0.5, "interval_ps": 0.05, "platform": "Reference"}


def test_a_conservative_force_keeps_the_energy_and_another_does_not() -> None:
    system, positions = springs()
    assert degrees_of_freedom(system) == 48 - 4
    kept = drift(run_nve(system, positions, **RUN))
    assert kept.share < 0.02 and kept.fluctuation < 0.05
    assert 150 < kept.temperature < 450
    system.addForce(openmm.PythonForce(swirl))
    driven = drift(run_nve(system, positions, **RUN))
    assert driven.share > 1 and driven.slope > 10 * abs(kept.slope)


def test_a_run_that_blows_up_says_so() -> None:
    system, positions = springs(2)
    with pytest.raises(SimulationError, match=r"blew up|not a number"):
        run_nve(system, positions, **{**RUN, "timestep_fs": 50.0})


@pytest.fixture(scope="module")
def run() -> LabelledRun:
    return LabelledRun.open(TAF12)


def test_an_energy_model_beside_the_all_atom_force(run: LabelledRun, tmp_path: Path) -> None:
    network = {"hidden": 8, "vector_channels": 2, "ligand_layers": 1, "num_radial": 8}
    content = {"name": "taf12", "labels": [TAF12], "network": network, "train_fraction": 0.1}
    schedule = {"perturbed": 0, "epochs": 1, "batch_size": 64, "warmup": 1}
    settings = ForceMatchingSettings.model_validate(content | schedule)
    trained = energy_trainer(settings, tmp_path)[0].run()
    model = Model(trained.dynamics.double(), trained.card)
    found = by_name(conservation(model, History.of(run.labels.x[:2], run.complex)))
    for name in ("force-equivariance", "energy-gradient", "jacobian-asymmetry", "reversibility"):
        assert found[name].outcome == "pass", found[name]
    assert found["solver-order"].outcome == "pass" and "should be 2" in found["solver-order"].note
    assert found["forecast-equivariance"].note == "does not jump"
    assert all("labelled run" in check.note for check in nve(model, None)[0])
    short = NVESettings(picoseconds=0.05, interval_ps=0.005, thermalisation_ps=0.05)
    checks, drifts = nve(model, run, short)
    assert set(drifts) == {"learned", "all-atom"} and len(checks) == 2
    assert drifts["learned"] != drifts["all-atom"]
    assert by_name(checks)["nve-drift-share"].outcome == "pass"
    for found_drift in drifts.values():
        assert 100 < found_drift.temperature < 600 and found_drift.share < 0.1
