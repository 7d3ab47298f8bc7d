"""SDF files with poses of the example ligand."""

from __future__ import annotations

from pathlib import Path

from rdkit import Chem

from openmm_neuralmd.examples import predict_example

PROTEIN, LIGAND = predict_example()


def write_poses(path: Path, shifts: dict[str, float]) -> Path:
    """The example ligand under each name, moved by so many Å along x."""
    molecule = Chem.MolFromMolFile(str(LIGAND), removeHs=False)
    with Chem.SDWriter(str(path)) as writer:
        for name, shift in shifts.items():
            copy = Chem.Mol(molecule)
            copy.SetProp("_Name", name)
            conformer = copy.GetConformer()
            positions = conformer.GetPositions()
            positions[:, 0] += shift
            conformer.SetPositions(positions)
            writer.write(copy)
    return path
