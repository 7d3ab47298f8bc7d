"""Snapshots of NeuralMD-OU are valid molecules."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from one_structure_cases import case
from openmm_neuralmd.dynamics.internal_coordinates import internal_coordinates
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.ou_prediction import predict_pose
from openmm_neuralmd.dynamics.ou_wells import hop, occupancy, torsion_angles, wells
from openmm_neuralmd.dynamics.rigid_torsion import displace, jacobian, rotatable_bonds


@pytest.fixture(scope="module")
def prediction():
    torch.manual_seed(0)
    return predict_pose(NeuralOU(NeuralOUSettings(members=1)), *case())


def lengths(x, pairs):
    return np.linalg.norm(x[:, pairs[:, 0]] - x[:, pairs[:, 1]], axis=-1)


def test_bonds_angles_and_rings_stay(prediction):
    chemistry, pose, _ = case()
    x = prediction.snapshots(300, typical=True)
    assert (x - pose).std() > 0.2
    for bonds, tolerance in ((1, 0.06), (2, 0.08)):
        pairs = np.argwhere(np.triu(chemistry.distances == bonds))
        change = lengths(x, pairs) / lengths(pose[None], pairs) - 1
        assert np.abs(change).max() < tolerance
    ring = np.flatnonzero(chemistry.features[:, -3] > 0)
    flat = x[:, ring] - x[:, ring].mean(1, keepdims=True)
    assert np.linalg.svd(flat, compute_uv=False)[:, 2].max() / np.sqrt(len(ring)) < 0.15


def test_chirality_is_kept(prediction):
    chemistry, pose, _ = case()
    centre = next(
        k
        for k in range(len(pose))
        if (chemistry.distances[k] == 1).sum() == 3 and chemistry.features[k, -6] > 0
    )
    around = np.flatnonzero(chemistry.distances[centre] == 1)
    x = prediction.snapshots(300, typical=True)
    volume = np.linalg.det(x[:, around] - x[:, [centre]])
    assert (np.sign(volume) == np.sign(np.linalg.det(pose[around] - pose[centre]))).all()


def test_finite_displacements_are_the_jacobian_to_first_order():
    chemistry, pose, _ = case()
    rotatable = rotatable_bonds(chemistry)
    columns = jacobian(pose, rotatable)
    q = 1e-5 * np.random.default_rng(0).normal(size=(4, columns.shape[1]))
    moved = displace(pose, rotatable, q).reshape(4, -1)
    assert np.abs(moved - pose.reshape(-1) - q @ columns.T).max() < 1e-8


def test_a_large_turn_keeps_every_length_in_rigid_parts(prediction):
    chemistry, pose, _ = case()
    q = np.zeros((1, 6 + len(prediction.quadruples)))
    q[0, 6:] = 2.0
    q[0, 3:6] = 1.0, -2.0, 0.5
    x = displace(pose, rotatable_bonds(chemistry), q)
    pairs = np.argwhere(np.triu((chemistry.distances == 1) | (chemistry.distances == 2)))
    np.testing.assert_allclose(lengths(x, pairs), lengths(pose[None], pairs), atol=1e-9)
    turned = torsion_angles(x, prediction.quadruples) - torsion_angles(
        pose[None], prediction.quadruples
    )
    np.testing.assert_allclose(np.cos(turned), np.cos(2.0), atol=1e-6)


def test_wells_hop_with_the_right_shares_and_rate():
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.25, 0.25, 0.25, 0.25]])
    start = np.array([0, 2])
    states = hop([0.0, 5.0, 1e4], p, 0.1, 40_000, np.random.default_rng(0), start)
    assert (states[:, 0] == start).all()
    after = p + np.exp(-0.5) * (np.eye(4)[start] - p)
    np.testing.assert_allclose(occupancy(states[:, 1]), after, atol=0.01)
    np.testing.assert_allclose(occupancy(states[:, 2]), p, atol=0.01)


def test_wells_are_read_from_snapshots():
    chemistry, pose, _ = case()
    rotatable = rotatable_bonds(chemistry)
    turns = np.radians([0.0, 120.0, 180.0, -120.0])
    q = np.zeros((4, 6 + len(rotatable.bonds)))
    q[:, 6:] = turns[:, None]
    x = displace(pose, rotatable, q)
    found = wells(x, pose, rotatable.quadruples)
    assert (found == np.arange(4)[:, None]).all()


def test_trajectories_are_slow_where_the_process_is(prediction):
    """Neighbouring snapshots are nearer than distant ones, at an interval of choice."""
    x = prediction.trajectories([0.0, 0.05, 500.0], 200, typical=True, hops=False)
    near = np.sqrt(((x[:, 1] - x[:, 0]) ** 2).mean())
    assert near < 0.7 * np.sqrt(((x[:, 2] - x[:, 0]) ** 2).mean())
    planar = internal_coordinates(*case()[:2])
    assert np.abs(planar.values[planar.kind == 2]).max() < 0.1


def test_known_snapshots_carry_the_forecast(prediction):
    _, pose, _ = case()
    known = np.stack([pose + [1.0, 0.0, 0.0]] * 20)
    after = prediction.given(known, 5.0)
    shift = (after.process.forecast([100.0])[0] - pose).mean(0)
    assert 0.5 < shift[0] <= 1.05
    assert (after.now == 0).all()
    far = after.snapshots(200, typical=True).mean((0, 1)) - pose.mean(0)
    assert far[0] > 0.5


def test_a_known_well_is_where_hopping_starts(prediction):
    """Nothing has hopped at the present, whatever the wells' probabilities."""
    _, pose, _ = case()
    likely = replace(prediction, wells=np.full((len(prediction.wells), 4), 0.25))
    likely = replace(likely, small=np.ones(len(likely.wells), dtype=bool))
    known = likely.given(np.stack([pose] * 3), 1.0)
    x = known.trajectories([0.0], 50)[:, 0]
    assert (wells(x, pose, prediction.quadruples) == 0).mean() > 0.95
    free = likely.trajectories([0.0], 50, typical=True)[:, 0]
    assert (wells(free, pose, prediction.quadruples) == 0).mean() < 0.6
