"""Strain relief: where MMFF94 would take a ligand whose atoms springs hold."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.spatial.transform import Rotation

from openmm_neuralmd.bindingnet.chemistry import LigandChemistry, ligand_chemistry
from openmm_neuralmd.dynamics.strain import HOLD, LARGEST, strain_relief

AMIDE = "CC[C@H](O)C(=O)NCc1ccccc1"


def relaxed(smiles: str) -> tuple[Chem.Mol, LigandChemistry, np.ndarray]:
    """A molecule at a minimum of MMFF94, its chemistry and heavy atoms."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    assert AllChem.EmbedMolecule(molecule, randomSeed=7) == 0
    AllChem.MMFFOptimizeMolecule(molecule, maxIters=5000)
    chemistry = ligand_chemistry(molecule)
    return molecule, chemistry, molecule.GetConformer().GetPositions()[chemistry.atoms]


def test_a_minimum_is_not_strained() -> None:
    _, chemistry, x = relaxed(AMIDE)
    assert np.abs(strain_relief(chemistry, x)).max() < 0.01


@pytest.mark.parametrize("stretch", [-0.08, 0.05, 0.1])
def test_a_stretched_bond_goes_back_against_the_springs(stretch: float) -> None:
    """The C–C bond of ethane is a spring k between two atoms that HOLD: Δ = −2 k s / (2 k + HOLD).

    MMFF94 has the energy ½ 143.9325 k_b s² (1 + c s + 7/12 c² s²), c = −2/Å.
    """
    chemistry = ligand_chemistry(Chem.MolFromSmiles("CC"))
    molecule = Chem.AddHs(Chem.MolFromSmiles("CC"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    AllChem.MMFFOptimizeMolecule(molecule, maxIters=5000)
    x = molecule.GetConformer().GetPositions()[:2]
    along = (x[1] - x[0]) / np.linalg.norm(x[1] - x[0])
    moved = strain_relief(chemistry, x + stretch * np.outer([-0.5, 0.5], along))
    change = (moved[1] - moved[0]) @ along
    stiff = 143.9325 * 4.258  # k_b of C–C in MMFF94, md/Å, as kcal/mol/Å²
    assert change == pytest.approx(-stretch * 2 * stiff / (2 * stiff + HOLD), rel=0.1)
    np.testing.assert_allclose(moved.sum(axis=0), 0.0, atol=1e-4)


def test_it_turns_and_moves_with_the_molecule() -> None:
    _, chemistry, x = relaxed(AMIDE)
    x = x + np.random.default_rng(0).normal(scale=0.1, size=x.shape)
    turn = Rotation.random(random_state=3).as_matrix()
    there = strain_relief(chemistry, x @ turn.T + [5.0, -30.0, 2.0])
    np.testing.assert_allclose(there, strain_relief(chemistry, x) @ turn.T, atol=1e-6)


def test_hydrogens_of_the_file_do_not_matter() -> None:
    molecule, chemistry, x = relaxed(AMIDE)
    x = x + 0.1
    bare = ligand_chemistry(Chem.RemoveHs(molecule))
    np.testing.assert_array_equal(strain_relief(bare, x), strain_relief(chemistry, x))


def test_a_strained_pose_comes_closer_to_its_minimum() -> None:
    _, chemistry, x = relaxed(AMIDE)
    generator = np.random.default_rng(1)
    for _ in range(5):
        away = generator.normal(scale=0.08, size=x.shape)
        relief = strain_relief(chemistry, x + away)
        assert np.linalg.norm(away + relief) < np.linalg.norm(away)


@pytest.mark.parametrize("smiles", ["OB(O)c1ccccc1", "C"])
def test_without_parameters_or_strain_nothing_moves(smiles: str) -> None:
    """MMFF94 has no boron; one atom has no strain."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    chemistry = ligand_chemistry(molecule)
    x = molecule.GetConformer().GetPositions()[chemistry.atoms]
    np.testing.assert_allclose(strain_relief(chemistry, x), 0.0, atol=1e-3)


def test_a_part_of_a_molecule_has_none() -> None:
    _, chemistry, x = relaxed(AMIDE)
    part = chemistry.part(np.arange(4))
    assert not strain_relief(part, x[:4] + np.arange(4)[:, None]).any()


def test_a_broken_pose_moves_a_little_or_not_at_all() -> None:
    _, chemistry, x = relaxed(AMIDE)
    together, apart = x.copy(), 3.0 * x
    together[3] = together[2]
    assert not strain_relief(chemistry, together).any()
    assert np.linalg.norm(strain_relief(chemistry, apart), axis=1).max() <= LARGEST + 1e-9
    assert not strain_relief(chemistry, np.full_like(x, np.nan)).any()
