"""Decoys are other poses of the same molecule, and water makes room for them."""

from __future__ import annotations

import numpy as np
import pytest
from openmm import app, unit
from rdkit import Chem
from scipy.spatial import cKDTree

from decoy_poses import KINDS, contacts, decoy
from decoys import OVERLAP, move_water
from openmm_neuralmd import example_complex
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.run_statistics import read_ligand, read_protein


@pytest.fixture(scope="module")
def files() -> tuple[Chem.Mol, np.ndarray]:
    protein, ligand = predict_example()
    topology, x = read_protein(protein)
    heavy = np.array([atom.element.symbol != "H" for atom in topology.atoms()])
    return read_ligand(ligand), x[heavy]


@pytest.mark.parametrize("name", KINDS)
def test_a_decoy_is_another_pose_of_the_molecule(
    name: str, files: tuple[Chem.Mol, np.ndarray]
) -> None:
    molecule, protein = files
    kind = KINDS[name]._replace(candidates=150)
    given = molecule.GetConformer().GetPositions()
    pose = decoy(molecule, protein, kind, seed=3)
    np.testing.assert_array_equal(pose, decoy(molecule, protein, kind, seed=3))
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()])
    assert np.sqrt(((pose - given)[heavy] ** 2).sum(-1).mean()) >= kind.least
    bonds = np.array([(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()])
    lengths = [np.linalg.norm(x[bonds[:, 0]] - x[bonds[:, 1]], axis=1) for x in (given, pose)]
    np.testing.assert_allclose(*lengths, rtol=0.1 if kind.conformers else 1e-9)
    placed = Chem.Mol(molecule)
    placed.GetConformer().SetPositions(pose)
    Chem.AssignStereochemistryFrom3D(placed)
    assert Chem.FindMolChiralCenters(placed) == Chem.FindMolChiralCenters(molecule)


def test_the_best_of_the_candidates_is_taken(files: tuple[Chem.Mol, np.ndarray]) -> None:
    molecule, protein = files
    tree = cKDTree(protein)
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()])
    scores = [
        contacts(tree, decoy(molecule, protein, KINDS["turned"]._replace(candidates=n), 5)[heavy])
        for n in (20, 200, 800)
    ]
    assert scores == sorted(scores) and scores[-1] > scores[0]


def test_a_pose_that_cannot_be_is_an_error(files: tuple[Chem.Mol, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"none of 5 placements is 50\.0 Å away"):
        decoy(*files, KINDS["shifted"]._replace(candidates=5, least=50.0), seed=1)


def test_water_makes_room_for_the_ligand() -> None:
    """Waters under the ligand go where nothing is; no other atom moves."""
    dry = example_complex("t4l-p-xylene")
    shift = np.array([0.25, 0.0, 0.0])
    under = dry.positions[dry.ligand_heavy[:2]] + shift  # two waters where the ligand will be
    far = dry.positions[dry.ligand_heavy[:1]] + np.array([6.0, 0.0, 0.0])
    complex = with_waters(dry, np.concatenate([under, far]))
    before = complex.positions
    x = before.copy()
    x[complex.ligand] += shift
    start = x.copy()
    move_water(x, before, complex)
    atoms = list(complex.topology.atoms())
    moved = np.flatnonzero(np.abs(x - start).max(axis=1) > 0)
    assert [atoms[k].residue.name for k in moved] == ["HOH"] * 6
    oxygens = [a.index for a in atoms if a.residue.name == "HOH" and a.name == "O"]
    others = [a.index for a in atoms if a.element.symbol != "H" and a.index not in oxygens]
    gap, _ = cKDTree(x[others]).query(x[oxygens])
    assert gap.min() > OVERLAP - 0.05  # a crowded pocket: the emptiest place there is
    (own,) = cKDTree(x[complex.ligand_heavy]).query(x[oxygens])[:1]
    assert own.min() > 0.2


def with_waters(complex: Complex, oxygens: np.ndarray) -> Complex:
    """The complex with a water at each of these places, in nm."""
    modeller = app.Modeller(complex.topology, complex.positions * unit.nanometer)
    waters, places = app.Topology(), []
    chain = waters.addChain("W")
    for oxygen in oxygens:
        residue = waters.addResidue("HOH", chain)
        for name, offset in (("O", 0.0), ("H1", 0.0957), ("H2", -0.0957)):
            element = app.Element.getBySymbol(name[0])
            waters.addAtom(name, element, residue)
            places.append(oxygen + np.array([offset, 0.0, 0.0]))
    modeller.add(waters, np.array(places) * unit.nanometer)
    positions = np.array(modeller.positions.value_in_unit(unit.nanometer))
    own = list(complex.topology.atoms())[complex.ligand[0]].residue.name
    return Complex.from_openmm(modeller.topology, positions, ligand=own)
