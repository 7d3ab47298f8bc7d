"""Validity of poses: real snapshots pass, and each fault fails its own check."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from openmm_neuralmd.analysis.poses import (
    CHIRALITY,
    heavy_molecule,
    pass_rates,
    pose_checks,
)
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.examples import GPCR_FOLDER
from openmm_neuralmd.trajectory.snapshots import Snapshots


@pytest.fixture(scope="module")
def ergotamine(gpcr: Snapshots) -> Chem.Mol:
    numbers = gpcr.complex.ligand_atomic_numbers
    return heavy_molecule(GPCR_FOLDER / "ligand.sdf", numbers)


def test_molecule_and_snapshots_have_the_same_atoms(ergotamine: Chem.Mol, gpcr: Snapshots) -> None:
    numbers = gpcr.complex.ligand_atomic_numbers[gpcr.complex.heavy]
    assert [atom.GetAtomicNum() for atom in ergotamine.GetAtoms()] == numbers.tolist()
    bonds = {frozenset(pair) for pair in gpcr.complex.site_bonds.tolist()}
    own = {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in ergotamine.GetBonds()}
    assert own == bonds


def test_real_snapshots_are_molecules(ergotamine: Chem.Mol, gpcr: Snapshots) -> None:
    checks = pose_checks(ergotamine, gpcr.ligand[::25])
    rates = pass_rates(checks)
    assert {"bond_lengths", "bond_angles", "internal_steric_clash", CHIRALITY} <= set(rates)
    assert rates["bond_lengths"] == rates["bond_angles"] == rates[CHIRALITY] == 100
    assert rates["all"] >= 80  # thermal motion bends a ring now and then


def test_noise_tears_bonds_and_a_mirror_image_has_the_other_hand(
    ergotamine: Chem.Mol, gpcr: Snapshots
) -> None:
    start = gpcr.ligand[0]
    torn = start + np.random.default_rng(0).normal(scale=0.4, size=start.shape)
    checks = pose_checks(ergotamine, [start, torn, start * [1, 1, -1], start + 100.0])
    assert checks["bond_lengths"].tolist() == [True, False, True, True]
    assert checks["bond_angles"].tolist()[0::2] == [True, True]
    assert checks[CHIRALITY].tolist()[0] and not checks[CHIRALITY][2] and checks[CHIRALITY][3]
    assert pass_rates(checks)["all"] <= 50


def test_atoms_that_lie_upon_each_other_clash(ergotamine: Chem.Mol, gpcr: Snapshots) -> None:
    start = gpcr.ligand[0]
    order = np.argsort(np.linalg.norm(start - start.mean(0), axis=1))
    folded = start.copy()
    folded[order[-1]] = start[order[0]] + 0.3
    checks = pose_checks(ergotamine, [start, folded])
    assert checks["internal_steric_clash"].tolist() == [True, False]


def test_another_molecule_is_refused(ergotamine: Chem.Mol, gpcr: Snapshots) -> None:
    with pytest.raises(InputError, match="not the ligand's atoms in their order"):
        heavy_molecule(GPCR_FOLDER / "ligand.sdf", gpcr.complex.ligand_atomic_numbers[::-1])
    with pytest.raises(InputError, match="snapshots have 3 atoms, the molecule 43"):
        pose_checks(ergotamine, np.zeros((1, 3, 3)))
