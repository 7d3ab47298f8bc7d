"""The exported force module: the network's own numbers, one image, no protein network."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mm_models import INTERVAL, make_model, relative_error
from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.bindingnet.protein import ProteinNet
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.simulation.export import ForceModule, export, read_artifact
from openmm_neuralmd.simulation.geometry import path_matrix
from openmm_neuralmd.units import acceleration_factor, velocity_factor
from openmm_neuralmd.utils.files import sha256

GRAINS = pytest.mark.parametrize("grain", [None, 6.0], ids=["three grains", "four grains"])


def evaluate(module, positions, box=None):
    box = None if box is None else torch.tensor(box)
    energy, forces = module(torch.tensor(positions), box)
    return energy.item(), forces.numpy()


def loaded(module, tmp_path, frozen: bool = False):
    """What a backend runs; TorchForce freezes it as well."""
    export(module, tmp_path / "force.pt")
    script = torch.jit.load(tmp_path / "force.pt").eval()
    return torch.jit.freeze(script) if frozen else script


def network_output(model, complex):
    dynamics, c = model.dynamics, complex_tensors(complex, torch.float64)
    x = torch.tensor(complex.positions[complex.ligand_heavy] * 10.0).unsqueeze(0)
    return c, x, dynamics.network(c.z, x, c.mask, dynamics.encode(c))


@GRAINS
@pytest.mark.parametrize("name", ["t4l", "gpcr_complex"])
def test_force_is_the_networks_in_openmm_units(name, grain, request):
    complex, model = request.getfixturevalue(name), make_model(pocket_cutoff=grain)
    module = ForceModule(model.dynamics, complex, INTERVAL, precision="double")
    energy, forces = evaluate(module, complex.positions, complex.box)
    expected = network_output(model, complex)[2][0].detach().numpy()
    assert energy == 0.0
    assert (
        relative_error(forces[complex.ligand_heavy], expected * acceleration_factor(INTERVAL))
        < 1e-9
    )
    others = np.delete(forces, complex.ligand_heavy, axis=0)
    assert (others == 0.0).all()


def test_refinement_is_a_velocity(t4l):
    model = make_model(refinement=0.3)
    module = ForceModule(model.dynamics, t4l, INTERVAL, quantity="refinement", precision="double")
    c, x, _ = network_output(model, t4l)
    expected = model.dynamics.refinement(c.z, x, c.mask, torch.zeros_like(x))[0].detach().numpy()
    forces = evaluate(module, t4l.positions)[1][t4l.ligand_heavy]
    assert relative_error(forces, 0.3 * expected * velocity_factor(INTERVAL)) < 1e-9


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("head", ["force", "energy"])
@GRAINS
def test_eager_scripted_and_frozen_agree(t4l, tmp_path, head, frozen, grain):
    """Frozen as TorchForce does it: freezing once lost the gradient of the distances."""
    model = make_model(head, pocket_cutoff=grain)
    module = ForceModule(model.dynamics, t4l, INTERVAL, precision="double")
    energy, forces = evaluate(module, t4l.positions)
    script = loaded(module, tmp_path, frozen)
    for _ in range(4):  # TorchScript compiles its derivative only at the second or third call
        again = evaluate(script, t4l.positions)
        assert again[0] == pytest.approx(energy, rel=1e-10)
        assert relative_error(again[1], forces) < 1e-10


@pytest.mark.parametrize("frozen", [False, True])
@GRAINS
def test_energy_forces_are_its_finite_differences(t4l, tmp_path, frozen, grain):
    """Also on the protein: Cα, pocket atoms and residue frames move with their atoms."""
    model = make_model("energy", pocket_cutoff=grain)
    module = ForceModule(model.dynamics, t4l, INTERVAL, precision="double")
    script = loaded(module, tmp_path, frozen)
    forces = evaluate(script, t4l.positions)[1]
    protein = np.abs(np.delete(forces, t4l.ligand_heavy, axis=0)).max(axis=1)
    assert protein.max() > 0.0
    strongest = int(np.delete(np.arange(len(forces)), t4l.ligand_heavy)[protein.argmax()])
    step = 1e-7  # nm: frames of collinear atoms change over 1e-4 nm
    for particle in (*t4l.ligand_heavy[:3], strongest):
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = t4l.positions.copy()
                moved[particle, axis] += sign * step
                ends.append(evaluate(script, moved)[0])
            slope = -(ends[0] - ends[1]) / (2 * step)
            assert forces[particle, axis] == pytest.approx(slope, abs=1e-6 * np.abs(forces).max())


@GRAINS
def test_energy_conserves_momentum_and_follows_the_protein(t4l, grain):
    model = make_model("energy", pocket_cutoff=grain)
    module = ForceModule(model.dynamics, t4l, INTERVAL, precision="double")
    energy, forces = evaluate(module, t4l.positions)
    assert np.abs(forces.sum(axis=0)).max() < 1e-9 * np.abs(forces).max()
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = evaluate(module, t4l.positions @ turn.T + [3.0, -7.0, 2.0])
    assert moved[0] == pytest.approx(energy, rel=1e-9)
    assert relative_error(moved[1], forces @ turn.T) < 1e-8


@pytest.mark.parametrize("head", ["force", "energy"])
def test_single_precision_does_not_lose_digits_far_from_the_origin(t4l, head):
    model = make_model(head)
    exact = ForceModule(model.dynamics, t4l, INTERVAL, precision="double")
    module = ForceModule(model.dynamics, t4l, INTERVAL)
    near = relative_error(evaluate(module, t4l.positions)[1], evaluate(exact, t4l.positions)[1])
    far = relative_error(
        evaluate(module, t4l.positions + 1000.0)[1], evaluate(exact, t4l.positions)[1]
    )
    assert near < 1e-4
    assert far < 2 * near + 1e-6


def test_the_protein_network_never_runs_in_a_force(t4l, monkeypatch):
    model, calls = make_model(), []
    original = ProteinNet.forward
    monkeypatch.setattr(ProteinNet, "forward", lambda *args: calls.append(1) or original(*args))
    module = ForceModule(model.dynamics, t4l, INTERVAL)
    assert len(calls) == 1
    for _ in range(3):
        evaluate(module, t4l.positions)
    assert len(calls) == 1
    assert not any(isinstance(part, ProteinNet) for part in module.modules())
    assert "ProteinNet" not in torch.jit.script(module).inlined_graph.str()


@pytest.mark.parametrize("skew", [False, True])
@pytest.mark.parametrize("head", ["force", "energy"])
def test_wrapped_and_shifted_atoms_feel_the_same_forces(gpcr_complex, head, skew, tmp_path):
    """Every atom in an image of its own, several boxes away."""
    complex = gpcr_complex
    box = complex.box.copy()
    if skew:
        box[1, 0], box[2, 0], box[2, 1] = 0.3 * box[0, 0], -0.2 * box[0, 0], 0.25 * box[1, 1]
    model = make_model(head)
    module = ForceModule(model.dynamics, complex, INTERVAL, precision="double", periodic=True)
    script = loaded(module, tmp_path)
    energy, forces = evaluate(script, complex.positions, box)
    images = np.random.default_rng(2).integers(-3, 4, size=complex.positions.shape)
    wrapped = complex.positions + images @ box
    again = evaluate(script, wrapped, box)
    assert again[0] == pytest.approx(energy, rel=1e-9)
    assert relative_error(again[1], forces) < 1e-8
    whole = ForceModule(model.dynamics, complex, INTERVAL, precision="double", periodic=False)
    assert relative_error(evaluate(whole, complex.positions)[1], forces) < 1e-8


def test_a_box_too_small_is_refused(t4l):
    from dataclasses import replace

    tiny = replace(t4l)
    object.__setattr__(tiny, "box", np.eye(3) * 2.0)
    with pytest.raises(InputError, match=r"box is 2\.00 nm wide"):
        ForceModule(make_model().dynamics, tiny, INTERVAL)


def test_path_matrix_follows_the_tree():
    tree = np.array([[0, 2], [2, 1], [0, 3]])
    assert path_matrix(tree, 4).tolist() == [[0, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1]]


def test_residue_overflow_names_the_particle(t4l):
    module = ForceModule(make_model().dynamics, t4l, INTERVAL)
    crowd = t4l.positions.copy()
    alpha = t4l.backbone[:, 1]
    target = t4l.ligand_heavy[3]
    crowd[alpha] = crowd[target] + np.random.default_rng(0).normal(size=(len(alpha), 3)) * 0.2
    with pytest.raises(RuntimeError, match=r"NeuralMD particle \d+: \d+ residues within 10\.0 Å"):
        evaluate(module, crowd)


def test_file_carries_hash_and_metadata(t4l, tmp_path):
    module = ForceModule(make_model().dynamics, t4l, INTERVAL)
    digest = export(module, tmp_path / "a.pt", model_sha256="m", interval_ps=INTERVAL)
    artifact = read_artifact(tmp_path / "a.pt")
    assert digest == artifact.sha256 == sha256(tmp_path / "a.pt")
    assert artifact.metadata["model_sha256"] == "m"
    assert artifact.metadata["quantity"] == "force"
    assert artifact.metadata["particles"][: module.n] == t4l.ligand_heavy.tolist()
    assert json.dumps(artifact.metadata)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_damaged_and_foreign_files_are_refused(t4l, tmp_path):
    path = tmp_path / "a.pt"
    export(ForceModule(make_model().dynamics, t4l, INTERVAL), path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="not an exported force, or damaged"):
        read_artifact(path)
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))
    with pytest.raises(ModelError, match="not one of this package"):
        read_artifact(path)


def test_unknown_precision_and_quantity(t4l):
    dynamics = make_model().dynamics
    with pytest.raises(ModelError, match="precision 'half' is unknown; use single or double"):
        ForceModule(dynamics, t4l, INTERVAL, precision="half")
    with pytest.raises(ModelError, match="gives no 'energy'; it gives force"):
        ForceModule(dynamics, t4l, INTERVAL, quantity="energy")
