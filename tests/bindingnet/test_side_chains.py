"""Residues around a ligand: which of them move, their bonds, and what surrounds them."""

from __future__ import annotations

import numpy as np
from openmm import app

from one_structure_cases import molecule, peptide
from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
from openmm_neuralmd.bindingnet.side_chains import BACKBONE, REACH, SideChains, side_chains


def around() -> tuple[SideChains, app.Topology, np.ndarray, np.ndarray]:
    chemistry = ligand_chemistry(molecule())
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = peptide()
    return side_chains(topology, positions, chemistry, pose), topology, positions, pose


def test_near_side_chains_move_with_the_backbone_of_their_neighbours() -> None:
    side, topology, positions, pose = around()
    atoms = list(topology.atoms())
    own = {
        i: [a for a in side.atoms.tolist() if atoms[a].residue.index == i] for i in side.residues
    }
    for residue in topology.residues():
        chain = [a.index for a in residue.atoms() if a.name not in BACKBONE]
        apart = np.linalg.norm(positions[chain][:, None] - pose, axis=-1)
        near = bool(chain) and apart.min() <= REACH
        names = {atoms[a].name for a in own.get(residue.index, [])}
        if near:
            assert names == {a.name for a in residue.atoms()}
        elif names:
            assert names == set(BACKBONE)
            assert {residue.index - 1, residue.index + 1} & set(own)
    assert 3 <= len(own) < topology.getNumResidues()


def test_bonds_are_those_of_the_amino_acids_and_of_the_peptide() -> None:
    side, topology, _, _ = around()
    atoms = list(topology.atoms())
    names = [(atoms[a].residue.index, atoms[a].name) for a in side.atoms.tolist()]
    bonds = {frozenset((names[i], names[j])) for i, j in side.chemistry.bonds.tolist()}
    for residue in set(side.residues.tolist()):
        assert frozenset(((residue, "N"), (residue, "CA"))) in bonds
        if residue + 1 in side.residues:
            assert frozenset(((residue, "C"), (residue + 1, "N"))) in bonds
    lengths = [np.linalg.norm(side.start[i] - side.start[j]) for i, j in side.chemistry.bonds]
    assert min(lengths) > 1.1 and max(lengths) < 2.0  # real coordinates: nothing else is bonded
    across = side.residues[:, None] != side.residues
    steps = side.chemistry.distances[across]
    assert (steps == 1).sum() == 2 * sum(
        r + 1 in side.residues for r in set(side.residues.tolist())
    )


def test_the_ligand_comes_last_in_the_surroundings_and_moving_atoms_are_not_there() -> None:
    side, _, _, pose = around()
    assert not set(side.surroundings.atoms[: side.protein].tolist()) & set(side.atoms.tolist())
    assert np.allclose(side.surroundings.positions[side.protein :], pose)
    assert (side.surroundings.atoms[side.protein :] == -1).all()
    elements = side.surroundings.features[side.protein :, :5]
    assert (elements.sum(axis=1) == 1.0).all()


def test_a_residue_with_other_atom_names_stands_still() -> None:
    chemistry = ligand_chemistry(molecule())
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = peptide()
    whole = side_chains(topology, positions, chemistry, pose)
    moving = [r for r in topology.residues() if r.index in whole.residues]
    strange = next(
        r for r in moving if "CB" in {a.name for a in r.atoms() if a.index in whole.atoms}
    )
    next(a for a in strange.atoms() if a.name == "CB").name = "CX"
    other = side_chains(topology, positions, chemistry, pose)
    assert strange.index not in other.residues
    assert set(other.residues.tolist()) <= set(whole.residues.tolist())


def test_no_residue_near_is_an_empty_answer() -> None:
    chemistry = ligand_chemistry(molecule())
    topology, positions = peptide()
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    side = side_chains(topology, positions + 500.0, chemistry, pose)
    assert len(side.atoms) == len(side.chemistry.bonds) == 0
