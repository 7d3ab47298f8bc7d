"""Trajectories as `neuralmd simulate` and `neuralmd hybrid` write them, for the viewers' tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mdtraj
import numpy as np
from openmm import app, unit
from scipy.spatial.transform import Rotation

from openmm_neuralmd.analysis.fluctuation import rmsf
from openmm_neuralmd.examples import GPCR_FOLDER, example, example_complex
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.imaging import superpose
from openmm_neuralmd.trajectory.snapshots import read_snapshots, write_trajectory

INTERVAL_PS = 6000.0
SNAPSHOTS = 12
PREDICTED, REFERENCE = 100, 200  # first snapshots of the example; both would coincide otherwise


@dataclass(frozen=True)
class Written:
    """A PDB and a DCD of the same atoms."""

    topology: Path
    trajectory: Path

    @property
    def complex(self) -> Complex:
        return Complex.from_files(self.topology).with_hydrogens()

    def frames(self) -> np.ndarray:
        """(T, N, 3) in Å, as they are in the file."""
        return 10.0 * mdtraj.load(str(self.trajectory), top=str(self.topology)).xyz.astype(float)

    def rmsf(self) -> np.ndarray:
        """Of each atom of the ligand, Å, by the package."""
        return rmsf(read_snapshots(self.trajectory, self.complex).ligand)

    def pocket(self, distance: float) -> set[str]:
        """Numbers of the residues within a distance of the ligand, heavy atoms, first snapshot."""
        complex, first = self.complex, self.frames()[0]
        atoms = list(complex.topology.atoms())
        ligand = first[complex.ligand_heavy]
        own = set(complex.ligand.tolist())
        near = np.linalg.norm(first[:, None] - ligand[None], axis=-1).min(1) <= distance
        return {
            f"{a.residue.chain.id}:{a.residue.id}"
            for a in atoms
            if near[a.index] and a.index not in own and a.element.symbol != "H"
        }


def write_prediction(folder: Path) -> Written:
    """topology.pdb and trajectory.dcd: the protein at rest, as `simulate` leaves it."""
    complex = example_complex("gpcr-ergotamine")
    known = example("gpcr-ergotamine", hydrogens=True)
    positions = np.repeat(known.complex.positions[None], SNAPSHOTS, axis=0)
    positions[:, complex.ligand] = 0.1 * known.ligand[PREDICTED : PREDICTED + SNAPSHOTS]
    return _written(folder, "topology.pdb", "trajectory.dcd", complex, positions)


def write_reference(folder: Path) -> Written:
    """reference.pdb and reference.dcd: everything moves, and the complex tumbles and drifts."""
    complex = example_complex("gpcr-ergotamine")
    read = mdtraj.load(str(GPCR_FOLDER / "trajectory.xtc"), top=str(GPCR_FOLDER / "topology.pdb"))
    positions = read.xyz[REFERENCE : REFERENCE + SNAPSHOTS].astype(float)
    random = np.random.default_rng(0)
    turns = Rotation.random(SNAPSHOTS, random_state=random).as_matrix()
    drift = random.normal(size=(SNAPSHOTS, 1, 3))
    tumbling = np.einsum("tai,tij->taj", positions, turns) + drift
    return _written(folder, "reference.pdb", "reference.dcd", complex, tumbling)


def write_lysozyme(folder: Path) -> Written:
    """lysozyme.pdb and lysozyme.dcd: T4 lysozyme with p-xylene, a protein with its hydrogens."""
    complex = example_complex("t4l-p-xylene")
    steps = np.random.default_rng(1).normal(scale=0.01, size=(4, *complex.positions.shape))
    positions = complex.positions + np.cumsum(steps, axis=0)
    return _written(folder, "lysozyme.pdb", "lysozyme.dcd", complex, positions)


def _written(
    folder: Path, topology: str, trajectory: str, complex: Complex, positions: np.ndarray
) -> Written:
    with (folder / topology).open("w") as file:
        app.PDBFile.writeFile(complex.topology, positions[0] * unit.nanometer, file, keepIds=True)
    write_trajectory(folder / trajectory, complex, positions, INTERVAL_PS)
    return Written(folder / topology, folder / trajectory)


def write_parts(folder: Path, whole: Written) -> None:
    """short: an atom too few for the DCD; bare: no ligand; small: two residues
    fewer; torn: a coordinate that is no number in the fourth snapshot.
    """
    read = mdtraj.load(str(whole.trajectory), top=str(whole.topology))
    parts = {
        "short": range(read.n_atoms - 1),
        "bare": read.topology.select("not resname LIG"),
        "small": read.topology.select("resid 2 to 302"),
    }
    for name, atoms in parts.items():
        part = read.atom_slice(atoms)
        part[0].save_pdb(str(folder / f"{name}.pdb"))
        part.save_dcd(str(folder / f"{name}.dcd"))
    read.xyz[3, 100] = np.nan
    read.save_dcd(str(folder / "torn.dcd"))


def superposed(moving: Written, target: np.ndarray) -> np.ndarray:
    """Frames (T, N, 3) in Å laid on Cα positions (R, 3)."""
    frames, alphas = moving.frames(), moving.complex.backbone[:, 1]
    rotation, translation = superpose(frames[:, alphas], target)
    return np.einsum("tai,tij->taj", frames, rotation) + translation[:, None]
