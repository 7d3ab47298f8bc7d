"""Energy models: bonded terms against OpenMM, force matching, and what is exported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import openmm
import pytest
import torch
import yaml
from openmm import unit
from typer.testing import CliRunner

from dynamics_cases import small
from mm_models import bare_system, energy_and_forces
from openmm_neuralmd import NeuralMDForce, example, load_model, rollout
from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.cli import app
from openmm_neuralmd.dynamics.bonded_terms import angles, counts, torsions
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.md.production import run_reference
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.simulation.export import ForceModule
from openmm_neuralmd.training.data import read_trajectories
from openmm_neuralmd.training.energy import energy_trainer, force_scores
from openmm_neuralmd.training.force_matching import ForceMatcher, ForceMatchingSettings, parts
from openmm_neuralmd.training.forecasting import Trainer
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.training.settings import TrainingSettings
from openmm_neuralmd.units import acceleration_factor
from reference_cases import INPCRD, PRMTOP

NETWORK = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> LabelledRun:
    """p-Xylene in T4 lysozyme, 24 ps in a rigid protein with labels every 0.2 ps."""
    place = tmp_path_factory.mktemp("labels")
    folder = import_amber(PRMTOP, INPCRD, place / "complex")
    settings = MDSettings(
        mode="rigid", interval_ps=0.2, equilibration_ps=2.0, labels=True, platform="CPU"
    )
    run_reference(folder, place / "rigid", 24.0, settings=settings)
    return LabelledRun.open(place / "rigid")


def test_bonded_terms_are_openmms_own(run: LabelledRun) -> None:
    """Every force of the System but the pairs farther apart, at perturbed geometries."""
    terms, labels = run.labels.terms, run.perturbed(run.labels, 5, seed=0)
    assert counts(terms).bonds == 18
    system = openmm.XmlSerializer.clone(run.system)
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), openmm.CustomNonbondedForce):
            system.removeForce(index)
    pairs = next(f for f in system.getForces() if isinstance(f, openmm.CustomBondForce))
    near = {frozenset(pair) for pair in terms.pair_atoms.tolist()}
    place = {int(particle): i for i, particle in enumerate(run.complex.ligand)}
    for n in range(pairs.getNumBonds()):
        i, j, values = pairs.getBondParameters(n)
        if frozenset((place[i], place[j])) not in near:
            pairs.setBondParameters(n, i, j, [0.0, values[1], 0.0])
    x = torch.tensor(labels.x, requires_grad=True)
    energy = terms(x)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    positions = np.array(run.complex.positions)
    for row in range(len(labels)):
        positions[run.complex.ligand] = labels.x[row] / 10
        found, forces = energy_and_forces(system, positions)
        assert energy[row].item() == pytest.approx(found, rel=1e-6)
        ours = -10 * gradient[row].numpy()
        np.testing.assert_allclose(ours, forces[run.complex.ligand], rtol=1e-4, atol=1e-2)


def test_angles_and_torsions_have_derivatives_where_they_are_degenerate() -> None:
    line = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [2, 1, 0]]], requires_grad=True)
    (slope,) = torch.autograd.grad(angles(line, torch.tensor([[0, 1, 2]])).sum(), line)
    assert torch.isfinite(slope).all()
    # cis, trans and a quarter turn, IUPAC's sign: clockwise is positive
    start = [[1.0, 0, 0], [0, 0, 0], [0, 0, 1]]
    for end, expected in (([1.0, 0, 1], 0.0), ([-1.0, 0, 1], np.pi), ([0, 1.0, 1], np.pi / 2)):
        x = torch.tensor([[*start, end]])
        assert abs(torsions(x, torch.tensor([[0, 1, 2, 3]])).item()) == pytest.approx(expected)
    clockwise = torch.tensor([[[1.0, 0, 0], [0, 0, 0], [0, 0, -1], [0, 1.0, -1]]])
    assert torsions(clockwise, torch.tensor([[0, 1, 2, 3]])).item() == pytest.approx(-np.pi / 2)


def test_labels_are_the_systems_own_and_perturbed_ones_too(run: LabelledRun) -> None:
    labels = run.labels
    assert labels.x.shape == (120, 18, 3) and labels.complex.hydrogens
    forces, energies = run.evaluate(labels.x[:3])
    # the run's platform computes in single precision
    np.testing.assert_allclose(forces, labels.forces[:3], rtol=1e-3, atol=2.0)
    np.testing.assert_allclose(energies, labels.energies[:3], atol=0.3)
    one, other = (run.perturbed(labels, 4, seed=s) for s in (0, 0))
    np.testing.assert_array_equal(one.x, other.x)
    assert np.abs(run.perturbed(labels, 4, seed=1).x - one.x).max() > 0.01
    rest = labels.without(labels.terms)
    assert rest.forces.std() < 0.5 * labels.forces.std()


@pytest.fixture(scope="module")
def settings(run: LabelledRun) -> ForceMatchingSettings:
    content = {"name": "p-xylene", "labels": [run.path], "network": NETWORK, "perturbed": 40}
    schedule = {"epochs": 10, "batch_size": 8, "learning_rate": 1e-2, "warmup": 5}
    return ForceMatchingSettings.model_validate(content | schedule)


def test_force_matching_learns_what_bonded_terms_leave(
    run: LabelledRun, settings: ForceMatchingSettings, tmp_path: Path
) -> None:
    trainer, test = energy_trainer(settings, tmp_path)
    assert [len(trainer.windows), len(trainer.validation), len(test[0])] == [82 + 40, 14, 24]
    model = trainer.run()
    history = [row["validation"] for row in trainer.counters.history]
    assert min(history) < 0.9 * history[0]
    scores = force_scores(model, test[0])
    terms_alone = np.abs(test[0].without(run.labels.terms).forces).mean()
    assert scores.mae < 0.97 * terms_alone < 0.5 * scores.spread
    loaded = load_model(tmp_path / "model.safetensors", torch.float64)
    assert loaded.hydrogens and counts(loaded.dynamics.terms) == counts(run.labels.terms)
    other = run.complex.with_positions(run.complex.positions)
    torn = replace(other, ligand_bonds=other.ligand_bonds[1:])
    with pytest.raises(ModelError, match="holds the bonded terms of another ligand"):
        NeuralMDForce(loaded, torn)
    # The force in OpenMM is the model's, the ligand's hydrogens included, and the energy's slope.
    force = NeuralMDForce(loaded, run.complex.with_hydrogens(False), precision="double")
    system = bare_system(run.complex, force)
    positions = np.array(run.complex.positions)
    forces = energy_and_forces(system, positions)[1]
    for atom in run.complex.ligand[[0, 9, 17]]:
        for axis in range(3):
            ends = []
            for step in (1e-5, -1e-5):
                moved = positions.copy()
                moved[atom, axis] += step
                ends.append(energy_and_forces(system, moved)[0])
            slope = -(ends[0] - ends[1]) / 2e-5
            assert slope == pytest.approx(forces[atom, axis], rel=1e-6, abs=1e-3)


def test_the_test_part_changes_nothing(
    run: LabelledRun, settings: ForceMatchingSettings, tmp_path: Path
) -> None:
    def trained(forces: np.ndarray, name: str) -> dict[str, torch.Tensor]:
        labels = replace(run.labels, forces=forces)
        ours, early, _ = (labels[part] for part in parts(settings, len(labels)))
        short = settings.model_copy(update={"epochs": 1})
        return ForceMatcher(short, [ours], [early], tmp_path / name).run().dynamics.state_dict()

    poisoned = run.labels.forces.copy()
    poisoned[parts(settings, len(run.labels))[2]] *= -3.0
    one, other = trained(run.labels.forces, "one"), trained(poisoned, "other")
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_energies_are_trained_from_the_command_line(run: LabelledRun, tmp_path: Path) -> None:
    content = {"name": "x", "labels": [str(run.path)], "network": NETWORK, "perturbed": 8}
    file = tmp_path / "energy.yaml"
    file.write_text(yaml.safe_dump({**content, "epochs": 1}))
    found = CliRunner().invoke(app, ["train", str(file), "-o", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert "24 held-out geometries: force MAE" in found.output
    file.write_text(yaml.safe_dump({**content, "perturbd": 8}))
    found = CliRunner().invoke(app, ["train", str(file), "-o", str(tmp_path / "other")])
    assert found.exit_code == 1 and "energy.yaml: perturbd: Extra inputs" in found.output


def test_what_cannot_be_learned_from_is_refused(run: LabelledRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make it with neuralmd reference --labels"):
        LabelledRun.open(tmp_path)
    system = openmm.XmlSerializer.clone(run.system)
    system.setParticleMass(0, 12.0 * unit.dalton)
    for name in ("labels.npz", "topology.pdb"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    with pytest.raises(InputError, match="is it the folder of a whole run"):
        LabelledRun.open(tmp_path)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    with pytest.raises(InputError, match="more than the ligand moves"):
        LabelledRun.open(tmp_path)
    both = ForceMatchingSettings(name="x", labels=(run.path, run.path), network=NETWORK)
    with pytest.raises(InputError, match="bonded terms are those of one ligand"):
        energy_trainer(both.model_copy(update={"perturbed": 0}), tmp_path / "both")


def test_the_sets_of_the_repository_are_labelled_runs() -> None:
    """Structure and System of a compact folder give its labels again."""
    folders = sorted((Path(__file__).parents[2] / "validation/reference_sets/rigid").glob("*/"))
    assert len(folders) >= 4
    for folder in folders:
        found = LabelledRun.open(folder)
        rows = slice(0, 1000, 250)
        forces, energies = found.evaluate(found.labels.x[rows])
        np.testing.assert_allclose(forces, found.labels.forces[rows], rtol=1e-3, atol=3.0)
        np.testing.assert_allclose(energies, found.labels.energies[rows], atol=0.3)


def test_a_verletmd_energy_is_in_openmms_unit(t4l) -> None:
    """Its force in OpenMM is mass times the acceleration that it jumps with."""
    dynamics = small("verletmd")
    module = ForceModule(dynamics, t4l, 80.0, precision="double")
    _, forces = module(torch.tensor(t4l.positions))
    c = complex_tensors(t4l, torch.float64)
    x = torch.tensor(10 * t4l.positions[t4l.ligand_sites]).unsqueeze(0)
    acceleration = dynamics.acceleration(c, dynamics.encode(c), x)[0]
    expected = acceleration * c.mass[0].unsqueeze(-1) * acceleration_factor(80.0)
    found = forces[torch.as_tensor(t4l.ligand_sites)]
    assert expected.abs().max() > 0
    torch.testing.assert_close(found, expected.detach(), rtol=1e-9, atol=1e-15)


def test_hydrogens_are_learned_and_forecast_by_option(tmp_path: Path) -> None:
    """One epoch on 5-HT1B's ligand with its 36 hydrogens; the model then asks for them."""
    data = {"example": "gpcr-ergotamine", "hydrogens": True}
    network = {"hidden": 8, "vector_channels": 2, "ligand_layers": 1, "num_radial": 8}
    settings = TrainingSettings.model_validate(
        {"name": "h", "data": data, "model": {"network": network}, "horizon": 2}
        | {"validation_horizon": 2, "epochs": 1, "every": 40, "history": 4}
    )
    trajectories = read_trajectories(settings.data)
    model = Trainer(settings, trajectories, tmp_path).run()
    snapshots = trajectories[0].load()
    assert snapshots.ligand.shape == (250, 79, 3) and model.hydrogens
    heavy = example("gpcr-ergotamine")
    np.testing.assert_allclose(snapshots.ligand[:, snapshots.complex.heavy], heavy.ligand)
    forecast = rollout(model, heavy.complex, snapshots.ligand[:4], 2)
    assert forecast.shape == (2, 79, 3) and np.isfinite(forecast).all()
    with pytest.raises(ModelError, match="was trained on ligands with their hydrogens"):
        model.check(heavy.complex)
