"""Ensemble metrics: cases worked by hand, an independent implementation, known processes."""

from __future__ import annotations

import mdtraj
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem
from scipy.stats import entropy

from openmm_neuralmd.analysis.ensemble import (
    correlation_time,
    distance_divergence,
    divergence,
    ensemble_table,
    rotatable_torsions,
    torsion_divergence,
    torsions,
)
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.trajectory.snapshots import Snapshots

EDGES = np.array([0.0, 1.0, 2.0, 3.0])
CHAIN = np.array([[0, 1], [1, 2], [2, 3]])


def butane(angle: float) -> np.ndarray:
    """A chain of four atoms with this dihedral angle, in degrees."""
    phi = np.radians(angle)
    return np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1.5], [np.cos(phi), np.sin(phi), 1.5]])


def process(phi: float, snapshots: int, seed: int, scale: float = 1.0) -> np.ndarray:
    """Five atoms, each coordinate an AR(1) of unit variance times `scale`, about places apart."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(snapshots, 5, 3)) * np.sqrt(1 - phi**2)
    x = np.empty_like(noise)
    x[0] = generator.normal(size=(5, 3))
    for t in range(1, snapshots):
        x[t] = phi * x[t - 1] + noise[t]
    return 10.0 * np.arange(5)[:, None] + scale * x


@pytest.mark.parametrize("angle", [-170.0, -60.0, 0.0, 45.0, 120.0, 179.0])
def test_torsions_by_hand(angle: float) -> None:
    assert torsions([butane(angle)], [[0, 1, 2, 3]])[0, 0] == pytest.approx(angle)
    assert torsions([butane(angle)], [[3, 2, 1, 0]])[0, 0] == pytest.approx(angle)


def test_torsions_are_mdtraj_s(gpcr: Snapshots) -> None:
    x = gpcr.ligand[:20]
    quadruples = rotatable_torsions(gpcr.complex.site_bonds, x.shape[1])
    topology = mdtraj.Topology()
    residue = topology.add_residue("X", topology.add_chain())
    for _ in range(x.shape[1]):
        topology.add_atom("C", mdtraj.element.carbon, residue)
    other = mdtraj.compute_dihedrals(mdtraj.Trajectory(0.1 * x, topology), quadruples)
    difference = np.degrees(other) - torsions(x, quadruples)
    np.testing.assert_allclose((difference + 180) % 360 - 180, 0, atol=0.02)


@pytest.mark.parametrize(
    ("smiles", "count"),
    [
        ("CCCC", 1),
        ("CCC", 0),
        ("c1ccccc1", 0),
        ("c1ccccc1c1ccccc1", 1),
        ("CC(C)CC(C)C", 2),
        ("C1CC1CCO", 2),
    ],
)
def test_rotatable_bonds(smiles: str, count: int) -> None:
    molecule = Chem.MolFromSmiles(smiles)
    bonds = [[b.GetBeginAtomIdx(), b.GetEndAtomIdx()] for b in molecule.GetBonds()]
    found = rotatable_torsions(bonds, molecule.GetNumAtoms())
    assert found.shape == (count, 4)
    for a, b, c, d in found.tolist():
        assert len({a, b, c, d}) == 4
        for i, j in ((a, b), (b, c), (c, d)):
            assert molecule.GetBondBetweenAtoms(i, j) is not None
        assert not molecule.GetBondBetweenAtoms(b, c).IsInRing()


def test_divergence_by_hand() -> None:
    assert divergence([0.5, 0.5], [0.5], EDGES) == pytest.approx(0)
    assert divergence([0.5], [1.5], EDGES) == pytest.approx(1)
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): half of log2(4/3) and of 1 − H(q; m)
    expected = 0.5 * np.log2(4 / 3) + 0.5 * (0.5 * np.log2(2 / 3) + 0.5 * np.log2(2))
    assert divergence([0.5], [0.5, 1.5], EDGES) == pytest.approx(expected)
    with pytest.raises(InputError, match="inside the bins"):
        divergence([0.5], [9.0], EDGES)


@given(
    st.lists(st.floats(0, 3, exclude_max=True), min_size=1, max_size=40),
    st.lists(st.floats(0, 3, exclude_max=True), min_size=1, max_size=40),
)
def test_divergence_is_the_entropy_formula(p: list[float], q: list[float]) -> None:
    """JSD = H(m) − (H(p) + H(q)) / 2; symmetric; from 0 to 1 bit."""
    a, b = (np.histogram(x, EDGES)[0] / len(x) for x in (p, q))
    expected = entropy((a + b) / 2, base=2) - (entropy(a, base=2) + entropy(b, base=2)) / 2
    found = divergence(p, q, EDGES)
    assert found == pytest.approx(expected, abs=1e-7)
    assert found == pytest.approx(divergence(q, p, EDGES), abs=1e-12)
    assert -1e-12 <= found <= 1 + 1e-12


def test_torsion_divergence_tells_two_rotamers_from_one() -> None:
    one = np.array([butane(60.0)] * 100)
    two = np.array([butane(60.0), butane(-60.0)] * 50)
    quadruples = rotatable_torsions(CHAIN, 4)
    assert torsion_divergence(one, one[:30], quadruples) == pytest.approx(0)
    assert torsion_divergence(one, np.array([butane(-60.0)]), quadruples) == pytest.approx(1)
    middle = torsion_divergence(one, two, quadruples)
    assert middle == pytest.approx(divergence([0.5], [0.5, 1.5], EDGES))
    assert np.isnan(torsion_divergence(one, two, np.empty((0, 4), dtype=int)))


def test_distance_divergence_grows_with_what_is_wrong() -> None:
    truth = process(0.0, 4000, 0)
    same, wide, wider = (process(0.0, 4000, 1, scale) for scale in (1.0, 1.5, 3.0))
    values = [distance_divergence(truth, x) for x in (truth, same, wide, wider)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[1] < 0.02 < 0.1 < values[3]


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_correlation_time_of_a_known_process(phi: float) -> None:
    """½ + Σ φ^k = ½ + φ / (1 − φ)."""
    assert correlation_time(process(phi, 6000, 2)) == pytest.approx(
        0.5 + phi / (1 - phi), rel=0.15, abs=0.05
    )


def test_correlation_time_respects_breaks() -> None:
    """Independent replicas, joined: pairs across a break would spoil the time."""
    parts = [process(0.8, 400, seed) for seed in range(10)]
    segments = [range(400 * k, 400 * (k + 1)) for k in range(10)]
    assert correlation_time(np.concatenate(parts), segments) == pytest.approx(4.5, rel=0.2)


def test_a_table_of_the_truth_and_of_half_its_motion() -> None:
    bonds = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    truth = process(0.6, 4000, 3)
    same = ensemble_table(truth, process(0.6, 4000, 4), bonds=bonds)
    assert same["rmsf_ratio"] == pytest.approx(1, abs=0.05)
    assert same["time_ratio"] == pytest.approx(1, abs=0.15)
    assert same["torsion_divergence"] < 0.02 and same["distance_divergence"] < 0.02
    half = ensemble_table(truth, process(0.9, 4000, 4, 0.5), bonds=bonds)
    assert half["rmsf_ratio"] == pytest.approx(0.5, abs=0.05)
    assert half["time_ratio"] > 3
    assert half["distance_divergence"] > 5 * same["distance_divergence"]


def test_the_right_atoms_move() -> None:
    weights = np.array([0.2, 0.5, 1.0, 1.5, 2.0])[:, None]
    places = 10.0 * np.arange(5)[:, None]
    truth = places + weights * (process(0.0, 2000, 5) - places)
    bonds = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    right = places + weights * (process(0.0, 2000, 6) - places)
    wrong = places + weights[::-1] * (process(0.0, 2000, 6) - places)
    assert ensemble_table(truth, right, bonds=bonds)["rmsf_correlation"] > 0.99
    assert ensemble_table(truth, wrong, bonds=bonds)["rmsf_correlation"] < -0.9


def test_what_stands_still_has_no_time() -> None:
    truth = process(0.5, 200, 7)
    still = np.repeat(truth[:1], 50, axis=0)
    table = ensemble_table(truth, still, bonds=np.array([[0, 1], [1, 2], [2, 3], [3, 4]]))
    assert table["rmsf_ratio"] == pytest.approx(0, abs=1e-9)
    assert np.isnan(table["time_ratio"]) and np.isnan(table["rmsf_correlation"])
    with pytest.raises(InputError, match="the same atoms"):
        ensemble_table(truth, still[:, :4], bonds=np.array([[0, 1]]))
    with pytest.raises(InputError, match="two snapshots or more"):
        correlation_time(truth[:1])
