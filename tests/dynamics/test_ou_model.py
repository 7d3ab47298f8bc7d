"""NeuralMD-OU: laws of the network, the stiffness and the displacement."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from one_structure_cases import case, molecule, protein, rotation
from openmm_neuralmd.bindingnet.chemistry import ATOM_FEATURES, ligand_chemistry
from openmm_neuralmd.bindingnet.pocket import POCKET_FEATURES, pocket_atoms
from openmm_neuralmd.dynamics.internal_coordinates import CLASSES, internal_coordinates
from openmm_neuralmd.dynamics.ou import START_RELIEF, NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import predict_ensemble, predict_pose
from openmm_neuralmd.dynamics.springs import (
    CLASS_NAMES,
    START,
    class_stiffness,
    springs,
    stiffness,
)
from openmm_neuralmd.dynamics.strain import strain_relief


@pytest.fixture(scope="module")
def model():
    """In double precision, with heads that are not zero."""
    torch.manual_seed(0)
    net = NeuralOU(NeuralOUSettings(members=2)).double()
    with torch.no_grad():
        for parameter in net.members.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return net.eval()


def evaluate(model, chemistry, pose, pocket):
    with torch.no_grad():
        g = model(springs(chemistry, pose, pocket))
    return g.stiffness.numpy(), g.displacement.numpy().reshape(-1, 3)


def test_features_have_the_sizes_that_the_network_reads():
    chemistry, pose, pocket = case()
    assert chemistry.features.shape == (len(pose), ATOM_FEATURES)
    assert pocket.features.shape[1] == POCKET_FEATURES
    assert len(START) == len(CLASS_NAMES)
    assert chemistry.donor.sum() == 3 and chemistry.amide.sum() == 1


def test_hydrogens_are_not_needed():
    """Implicit hydrogens give the same chemistry, and a protein without any the same pocket."""
    with_h, without = ligand_chemistry(molecule()), ligand_chemistry(Chem.RemoveHs(molecule()))
    assert np.array_equal(with_h.features, without.features)
    assert np.array_equal(with_h.bond_features, without.bond_features)
    np.testing.assert_allclose(with_h.masses, without.masses)


def test_gradients_are_those_of_the_values():
    chemistry, pose, _ = case()
    found = internal_coordinates(chemistry, pose)
    linear = (found.kind == 1) & (found.values > np.radians(170))
    step = 1e-5
    for column in range(pose.size):
        away = np.zeros(pose.size)
        away[column] = step
        values = [
            internal_coordinates(chemistry, pose + sign * away.reshape(-1, 3)).values
            for sign in (1, -1)
        ]
        difference = (values[0] - values[1] + np.pi) % (2 * np.pi) - np.pi
        error = difference / (2 * step) - found.gradients[:, column]
        assert np.abs(error[~linear]).max() < 1e-6
    assert set(CLASSES) - {CLASSES[k] for k in set(found.kind)} <= {"torsion ring"}


def test_rigid_motion_costs_the_ligand_nothing():
    chemistry, pose, _ = case()
    found = internal_coordinates(chemistry, pose)
    g = found.gradients.reshape(-1, len(pose), 3)
    assert np.abs(g.sum(1)).max() < 1e-9
    # The bends of a group that is linear within a degree are exact to that degree.
    linear = (found.kind == 1) & (found.values > np.radians(170))
    assert np.abs(np.cross(pose, g).sum(1))[~linear].max() < 1e-9
    assert np.abs(np.cross(pose, g).sum(1)).max() < 0.1
    assert np.linalg.matrix_rank(g.reshape(len(g), -1)) >= 3 * len(pose) - 6


def test_stiffness_of_a_known_network_of_springs():
    """H is the Hessian of the energy ½ Σ k (q − q0)²."""
    chemistry, pose, pocket = case()
    c = springs(chemistry, pose, pocket)
    inner, contact, anchor = class_stiffness(c, torch.log(torch.tensor(START, dtype=torch.float64)))
    h = stiffness(c, inner, contact, anchor).numpy()
    d = np.random.default_rng(1).normal(size=pose.shape)
    energy = (inner.numpy() * (c.gradients.numpy() @ d.reshape(-1)) ** 2).sum()
    atom = c.structure.contacts[0].numpy()
    energy += (contact.numpy() * (c.directions.numpy() * d[atom]).sum(1) ** 2).sum()
    energy += (anchor.numpy() * (d**2).sum(1)).sum()
    assert d.reshape(-1) @ h @ d.reshape(-1) == pytest.approx(energy, rel=1e-12)


def test_equivariance(model):
    chemistry, pose, pocket = case()
    h, u = evaluate(model, chemistry, pose, pocket)
    turn, shift = rotation(), np.array([3.0, -20.0, 7.0])
    moved = pocket._replace(positions=pocket.positions @ turn.T + shift)
    h_moved, u_moved = evaluate(model, chemistry, pose @ turn.T + shift, moved)
    big = np.kron(np.eye(len(pose)), turn)
    assert np.abs(h_moved - big @ h @ big.T).max() < 1e-8 * np.abs(h).max()
    assert np.abs(u_moved - u @ turn.T).max() < 1e-8
    assert np.linalg.norm(u) > 0.01


def test_a_mirror_image_is_another_complex(model):
    chemistry, pose, pocket = case()
    mirror = np.array([-1.0, 1.0, 1.0])
    _, u = evaluate(model, chemistry, pose, pocket)
    moved = pocket._replace(positions=pocket.positions * mirror)
    _, u_mirror = evaluate(model, chemistry, pose * mirror, moved)
    assert np.abs(u_mirror - u * mirror).max() > 1e-6


def test_positive_definite(model):
    chemistry, pose, pocket = case()
    random = np.random.default_rng(0)
    for _ in range(5):
        h, _ = evaluate(model, chemistry, pose + random.normal(scale=0.5, size=pose.shape), pocket)
        assert np.linalg.eigvalsh(h).min() > 0


def test_the_order_of_atoms_does_not_matter(model):
    mol = molecule()
    order = np.random.default_rng(5).permutation(mol.GetNumAtoms()).tolist()
    renumbered = Chem.RenumberAtoms(mol, order)
    topology, positions = protein()
    a = predict_ensemble(model, mol, topology, positions)
    b = predict_ensemble(model, renumbered, topology, positions)
    rows = [np.flatnonzero(a.atoms == order[atom])[0] for atom in b.atoms]
    np.testing.assert_allclose(b.displacement, a.displacement[rows], atol=1e-8)
    np.testing.assert_allclose(b.rmsf(), a.rmsf()[rows], atol=1e-8)


def test_before_training_it_is_its_class_constants():
    chemistry, pose, pocket = case()
    torch.manual_seed(0)
    fresh = NeuralOU(NeuralOUSettings(members=1)).double()
    bare = NeuralOU(NeuralOUSettings(members=0)).double()
    h, u = evaluate(fresh, chemistry, pose, pocket)
    h_bare, u_bare = evaluate(bare, chemistry, pose, pocket)
    np.testing.assert_allclose(h, h_bare, rtol=1e-12)
    relief = START_RELIEF * strain_relief(chemistry, pose)
    np.testing.assert_allclose(u, relief, atol=1e-12)
    np.testing.assert_allclose(u_bare, relief, atol=1e-12)


def test_deleting_the_network_changes_the_answer(model):
    chemistry, pose, pocket = case()
    bare = NeuralOU(NeuralOUSettings(members=0)).double()
    h, u = evaluate(model, chemistry, pose, pocket)
    h_bare, _ = evaluate(bare, chemistry, pose, pocket)
    assert np.abs(np.log(np.diag(h) / np.diag(h_bare))).max() > 0.05
    assert np.abs(u).max() > 0.01


def test_a_share_of_the_displacement(model):
    chemistry, pose, pocket = case()
    half = NeuralOU(model.settings.model_copy(update={"displacement_share": 0.5})).double()
    half.load_state_dict(model.state_dict())
    _, u = evaluate(model, chemistry, pose, pocket)
    _, u_half = evaluate(half, chemistry, pose, pocket)
    relief = START_RELIEF * strain_relief(chemistry, pose)
    np.testing.assert_allclose(u_half - relief, 0.5 * (u - relief), atol=1e-12)


def test_without_displacement_the_mean_is_the_pose(model):
    chemistry, pose, pocket = case()
    still = NeuralOU(model.settings.model_copy(update={"displaced": False})).double()
    still.load_state_dict(model.state_dict())
    assert np.abs(evaluate(still, chemistry, pose, pocket)[1]).max() == 0


def test_the_pocket_matters(model):
    chemistry, pose, pocket = case()
    h, _ = evaluate(model, chemistry, pose, pocket)
    swapped = pocket._replace(features=np.roll(pocket.features, 7, axis=0))
    h_swapped, _ = evaluate(model, chemistry, pose, swapped)
    assert np.abs(h_swapped - h).max() > 1e-3


def test_water_and_the_ligand_itself_are_no_pocket():
    topology, positions = protein()
    _, pose, pocket = case()
    from openmm import app

    residue = topology.addResidue("HOH", next(topology.chains()))
    topology.addAtom("O", app.Element.getBySymbol("O"), residue)
    residue = topology.addResidue("LIG", next(topology.chains()))
    topology.addAtom("C1", app.Element.getBySymbol("C"), residue)
    more = np.concatenate((positions, pose[:2] + 0.5))
    assert len(pocket_atoms(topology, more, pose).atoms) == len(pocket.atoms)


def test_no_pocket_at_all(model):
    chemistry, pose, pocket = case()
    none = pocket._replace(
        atoms=pocket.atoms[:0], positions=pocket.positions[:0], features=pocket.features[:0]
    )
    prediction = predict_pose(model, chemistry, pose, none)
    assert np.isfinite(prediction.rmsf()).all()
