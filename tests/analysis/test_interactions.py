"""Interaction fingerprints: a known one is found, and recoveries are what they are by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from openmm_neuralmd.analysis.interactions import occupancies, pocket_molecule, recovery
from openmm_neuralmd.analysis.poses import heavy_molecule
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots

TYK2 = Path(__file__).parents[2] / "validation" / "reference_sets" / "pocket" / "tyk2"


@pytest.fixture(scope="module")
def snapshots() -> Snapshots:
    complex = Complex.from_files(TYK2 / "topology.pdb", sdf=TYK2 / "ligand.sdf")
    return read_snapshots(TYK2 / "trajectory.xtc", complex, stride=300)


def test_the_hinge_of_a_kinase_is_found(snapshots: Snapshots) -> None:
    """Inhibitors of TYK2 are held by the backbone of VAL 981, as donor and acceptor."""
    molecule = heavy_molecule(TYK2 / "ligand.sdf", snapshots.complex.ligand_atomic_numbers)
    protein = pocket_molecule(TYK2 / "start.pdb.gz", snapshots.complex, snapshots.ligand[0])
    found = occupancies(protein, molecule, snapshots.ligand)
    assert found["VAL981.A", "HBAcceptor"] > 0.8 and found["VAL981.A", "HBDonor"] > 0.4
    assert all(0 < share <= 1 for share in found.values())
    same = recovery(found, found)
    assert same["interaction_recovery"] == same["interaction_precision"] == pytest.approx(100)
    away = occupancies(protein, molecule, snapshots.ligand + np.array([40.0, 0, 0]))
    assert recovery(found, away)["interaction_recovery"] == 0.0


def test_recovery_by_hand() -> None:
    truth = {("A", "x"): 1.0, ("B", "x"): 0.5}
    prediction = {("A", "x"): 0.5, ("C", "y"): 0.5}
    found = recovery(truth, prediction)
    assert found["interaction_recovery"] == pytest.approx(100 * 0.5 / 1.5)
    assert found["interaction_precision"] == pytest.approx(50.0)
    assert np.isnan(recovery({}, prediction)["interaction_recovery"])


def test_nothing_near_is_said(snapshots: Snapshots) -> None:
    with pytest.raises(InputError, match="no protein within 8 Å of the ligand"):
        pocket_molecule(TYK2 / "start.pdb.gz", snapshots.complex, snapshots.ligand[0] + 500.0)


def test_a_protein_in_another_image_is_laid_on_the_complex() -> None:
    """Set flexible: its start lies in another image of the box than its trajectory."""
    folder = TYK2.parents[1] / "flexible" / "mcl1"
    complex = Complex.from_files(folder / "topology.pdb", sdf=folder / "ligand.sdf")
    snapshots = read_snapshots(folder / "trajectory.xtc", complex, stride=300)
    protein = pocket_molecule(folder / "start.pdb.gz", snapshots.complex, snapshots.ligand[0])
    molecule = heavy_molecule(folder / "ligand.sdf", snapshots.complex.ligand_atomic_numbers)
    found = occupancies(protein, molecule, snapshots.ligand)
    assert found["ARG263.B", "Anionic"] > 0.5  # the carboxylate's partner in MCL1


def test_a_protein_without_the_residues_is_refused(snapshots: Snapshots) -> None:
    other = TYK2.parent / "mcl1" / "start.pdb.gz"
    with pytest.raises(InputError, match="no CA of"):
        pocket_molecule(other, snapshots.complex, snapshots.ligand[0])
