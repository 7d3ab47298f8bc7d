"""Two sets of runs: agreement that is there is found, and a difference that is there too."""

from __future__ import annotations

import numpy as np
import pytest

from ceiling import atom_rmsf, ceiling
from openmm_neuralmd.errors import InputError

BONDS = np.array([[0, 1], [1, 2], [2, 3]])
MEAN = np.array([[1.5, 0, 0], [0, 0, 0], [0, 0, 1.5], [1.0, 1.0, 2.0]])
SIZES = np.array([0.1, 0.2, 0.3, 0.2])
"""Å: standard deviation of each atom's coordinates."""


def runs(count: int, seed: int, scale: float = 1.0, memory: float = 0.8) -> list[np.ndarray]:
    """Ornstein–Uhlenbeck motion of each coordinate about a mean structure."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        x = np.empty((400, 4, 3))
        x[0] = random.normal(size=(4, 3))
        for t in range(1, 400):
            x[t] = memory * x[t - 1] + np.sqrt(1 - memory**2) * random.normal(size=(4, 3))
        made.append(MEAN + scale * SIZES[:, None] * x)
    return made


def test_two_sets_of_one_distribution_agree() -> None:
    found = ceiling(runs(3, 0), runs(3, 1), BONDS)
    assert found.rmsf_ratio.low < 1 < found.rmsf_ratio.high
    assert found.rmsf_ratio.high - found.rmsf_ratio.low < 0.2
    for name, row in found.agreement.items():
        assert row.excess.low <= 0 <= row.excess.high, name
        assert row.excess.mean == pytest.approx(row.between - row.within)
    assert 8 <= found.block <= 40  # four integrated times of 4.5 snapshots
    assert found.blocks == 400 // found.block


def test_a_set_that_moves_farther_is_told() -> None:
    found = ceiling(runs(2, 0), runs(2, 1, scale=1.5), BONDS)
    assert found.rmsf_ratio.low > 1.2 and found.rmsf_ratio.high < 1.8
    gap = found.agreement["rmsf_difference"]
    assert gap.excess.low > 0
    expected = 0.5 * SIZES.mean() * np.sqrt(3)
    assert gap.between == pytest.approx(expected, rel=0.2)
    assert gap.within < 0.3 * gap.between


def test_another_torsion_is_told() -> None:
    turned = [x * np.array([-1.0, 1, 1]) for x in runs(2, 1)]  # the mirror image
    found = ceiling(runs(2, 0), turned, BONDS)
    assert found.agreement["torsion_divergence"].excess.low > 0.2
    assert found.agreement["rmsf_difference"].excess.low <= 0


def test_a_ligand_without_torsions_has_no_divergence() -> None:
    found = ceiling(runs(2, 0), runs(2, 1), np.array([[0, 1], [1, 2]]), resamples=20)
    assert set(found.agreement) == {"rmsf_difference", "rmsf_correlation"}


def test_the_same_seed_gives_the_same_interval() -> None:
    one, other = (ceiling(runs(2, 0), runs(2, 1), BONDS, resamples=20) for _ in range(2))
    assert one == other


def test_rmsf_of_each_run() -> None:
    found = atom_rmsf(runs(2, 0, memory=0.0))
    assert found.shape == (2, 4)
    assert found == pytest.approx(np.tile(np.sqrt(3) * SIZES, (2, 1)), rel=0.1)


def test_what_cannot_be_compared_is_refused() -> None:
    pair = runs(2, 0)
    with pytest.raises(InputError, match="two runs or more"):
        ceiling(pair[:1], pair, BONDS)
    with pytest.raises(InputError, match="3 and 4 atoms"):
        ceiling(pair, [x[:, :3] for x in pair], BONDS)
    with pytest.raises(InputError, match="too short"):
        ceiling(pair, [x[:5] for x in pair], BONDS)
