"""A small ligand in a toy pocket, for the tests of NeuralMD-OU."""

from __future__ import annotations

from functools import cache
from io import StringIO

import numpy as np
from openmm import app
from rdkit import Chem
from rdkit.Chem import AllChem

from openmm_neuralmd.bindingnet.chemistry import LigandChemistry, ligand_chemistry
from openmm_neuralmd.bindingnet.pocket import PocketAtoms, pocket_atoms
from openmm_neuralmd.dynamics.ou_process import OUProcess

SMILES = "OC[C@H](N)C(=O)Nc1ccc(CC#N)cc1"
RESIDUES = ("SER", "ASP", "LYS", "PHE", "LEU", "HIS")
ATOMS = {
    "SER": "N CA C O CB OG",
    "ASP": "N CA C O CB CG OD1 OD2",
    "LYS": "N CA C O CB CG CD CE NZ",
    "PHE": "N CA C O CB CG CD1 CD2 CE1 CE2 CZ",
    "LEU": "N CA C O CB CG CD1 CD2",
    "HIS": "N CA C O CB CG ND1 CD2 CE1 NE2",
}


def covariance_matrix(process: OUProcess) -> np.ndarray:
    """Covariance (3n, 3n) in Å² at the present, for the mean square scale."""
    total = process.covariance.sum((1, 2)) * process.scale
    return (process.modes * total) @ process.modes.T


@cache
def molecule() -> Chem.Mol:
    """The ligand with hydrogens and a pose."""
    mol = Chem.AddHs(Chem.MolFromSmiles(SMILES))
    assert AllChem.EmbedMolecule(mol, randomSeed=7) == 0
    AllChem.MMFFOptimizeMolecule(mol)
    return mol


def protein() -> tuple[app.Topology, np.ndarray]:
    """Residues whose heavy atoms stand at random 3 Å or more from the ligand; Å."""
    x = molecule().GetConformer().GetPositions()
    random = np.random.default_rng(3)
    topology = app.Topology()
    chain = topology.addChain()
    positions: list[np.ndarray] = []
    for name in RESIDUES * 3:
        residue = topology.addResidue(name, chain)
        for atom in ATOMS[name].split():
            topology.addAtom(atom, app.Element.getBySymbol(atom[0]), residue)
            while True:
                here = x[random.integers(len(x))] + random.normal(size=3) * 4.0
                others = np.concatenate((x, np.reshape(positions, (-1, 3))))
                if np.linalg.norm(others - here, axis=1).min() > 1.5 and (
                    np.linalg.norm(x - here, axis=1).min() > 3.0
                ):
                    positions.append(here)
                    break
    return topology, np.array(positions)


@cache
def case() -> tuple[LigandChemistry, np.ndarray, PocketAtoms]:
    """Chemistry, pose (n, 3) in Å and pocket."""
    chemistry = ligand_chemistry(molecule())
    pose = molecule().GetConformer().GetPositions()[chemistry.atoms]
    topology, positions = protein()
    return chemistry, pose, pocket_atoms(topology, positions, pose)


def rotation(seed: int = 0) -> np.ndarray:
    """A random proper rotation."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


@cache
def _embedded() -> tuple[tuple[str, ...], np.ndarray]:
    """PDB lines of a peptide by RDKit, and its heavy atoms in Å."""
    peptide = Chem.MolFromSequence("ASDKFLHWVRYG")
    molecule = Chem.AddHs(peptide)
    assert AllChem.EmbedMolecule(molecule, randomSeed=11, useRandomCoords=True) == 0
    AllChem.MMFFOptimizeMolecule(molecule)
    heavy = Chem.RemoveHs(molecule)
    return tuple(Chem.MolToPDBBlock(heavy).splitlines()), heavy.GetConformer().GetPositions()


def peptide() -> tuple[app.Topology, np.ndarray]:
    """A peptide of twelve residues without hydrogens, whose side is 3.5 Å from the ligand; Å."""
    lines, x = _embedded()
    topology = app.PDBFile(StringIO("\n".join(lines) + "\n")).topology
    ligand = molecule().GetConformer().GetPositions()
    direction = np.array([1.0, 0.3, -0.2]) / np.linalg.norm([1.0, 0.3, -0.2])
    centred = x - x.mean(axis=0) + ligand.mean(axis=0)
    for step in np.arange(0.0, 40.0, 0.1):
        placed = centred + step * direction
        if np.linalg.norm(placed[:, None] - ligand, axis=-1).min() > 3.5:
            return topology, placed
    raise AssertionError("no place beside the ligand")
