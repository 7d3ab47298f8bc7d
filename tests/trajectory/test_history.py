"""Known snapshots: what is checked before a forecast starts from them."""

from __future__ import annotations

import numpy as np
import pytest

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import example
from openmm_neuralmd.trajectory.history import History
from openmm_neuralmd.trajectory.snapshots import Snapshots


@pytest.fixture(scope="module")
def snapshots() -> Snapshots:
    return example("gpcr-ergotamine")


def test_nanometres_are_not_taken_for_angstrom(snapshots: Snapshots) -> None:
    with pytest.raises(InputError, match=r"0\.1 times as long .* in nm where Å is due"):
        History.of(0.1 * snapshots.ligand[:5], snapshots.complex)


def test_atoms_in_another_order_are_refused(snapshots: Snapshots) -> None:
    order = np.random.default_rng(0).permutation(snapshots.ligand.shape[1])
    with pytest.raises(InputError, match="not this ligand's, or in another order"):
        History.of(snapshots.ligand[:5, order], snapshots.complex)


def test_atoms_in_one_place_are_named(snapshots: Snapshots) -> None:
    known = snapshots.ligand[:5].copy()
    known[-1, 3] = known[-1, 7] + 0.01
    atoms = list(snapshots.complex.topology.atoms())
    names = [atoms[snapshots.complex.ligand_sites[k]].name for k in (3, 7)]
    with pytest.raises(InputError, match=f"atoms {names[0]} and {names[1]} .* in one place"):
        History.of(known, snapshots.complex)


def test_a_strained_history_is_taken(snapshots: Snapshots) -> None:
    """Forecasts of other programs may be distorted; that is not a reason to refuse them."""
    noise = np.random.default_rng(0).normal(0, 0.3, snapshots.ligand[:5].shape)
    assert len(History.of(snapshots.ligand[:5] + noise, snapshots.complex)) == 5
