#!/usr/bin/env python
"""Make the packaged example 'gpcr-ergotamine' from the trajectory that ProLIF ships.

    python scripts/make_gpcr_example.py [FOLDER with top.pdb and traj.xtc]

Without a folder the files of an installed ProLIF (2.2.3, Apache-2.0) are used.  Kept: all atoms of
the ligand, the heavy atoms of the protein.  Changed: the time stamps, which are 1000 times too
large and run on across three replicas; here each replica starts at 0 and the stride is 6 ns.
Bond orders of the ligand are perceived by RDKit from its geometry and its charge of +1.
"""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from itertools import pairwise
from pathlib import Path

import mdtraj
import numpy as np
from mdtraj.formats import XTCTrajectoryFile
from openmm import app, unit
from rdkit import Chem
from rdkit.Chem import rdDetermineBonds, rdMolDescriptors

from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots

TARGET = Path(__file__).parent.parent / "openmm_neuralmd" / "data" / "gpcr_ergotamine"
BREAKS = (84, 167)
INTERVAL_PS = 6000.0
ORIGIN = "FROM PROLIF 2.2.3 (APACHE-2.0), HYDROGENS OF PROTEIN REMOVED"
CHARGE = 1  # ergotamine, protonated at N6
FORMULA = "C33H36N5O5+"


def source_folder() -> Path:
    """Return the folder of ProLIF's data: the argument, or the installed package (not imported)."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    spec = importlib.util.find_spec("prolif")
    if spec is None or spec.origin is None:
        sys.exit("prolif is not installed; pip install prolif==2.2.3, or give the data's folder")
    return Path(spec.origin).parent / "data"


def ligand_molecule(complex_: Complex, positions: np.ndarray) -> Chem.Mol:
    """The ligand with bond orders; positions (L, 3) in Å."""
    table = Chem.GetPeriodicTable()
    lines = [str(len(positions)), "ergotamine"]
    for number, (x, y, z) in zip(complex_.ligand_atomic_numbers, positions, strict=True):
        lines.append(f"{table.GetElementSymbol(int(number))} {x:.4f} {y:.4f} {z:.4f}")
    molecule = Chem.MolFromXYZBlock("\n".join(lines) + "\n")
    rdDetermineBonds.DetermineBonds(molecule, charge=CHARGE, useAtomMap=False)
    Chem.AssignStereochemistryFrom3D(molecule)
    formula = rdMolDescriptors.CalcMolFormula(molecule)
    if formula != FORMULA:
        sys.exit(f"the ligand came out as {formula}, not {FORMULA}")
    molecule.SetProp("_Name", "ergotamine")
    return molecule


def write_pdb(path: Path, topology: app.Topology, positions_nm: np.ndarray) -> None:
    """Write with the source in place of OpenMM's line with the date, so that it is reproducible."""
    text = io.StringIO()
    app.PDBFile.writeFile(topology, positions_nm * unit.nanometer, text, keepIds=True)
    _, body = text.getvalue().split("\n", 1)
    path.write_text(
        "REMARK   1 FROM PROLIF 2.2.3 (APACHE-2.0), HYDROGENS OF PROTEIN REMOVED\n" + body
    )


def write_xtc(path: Path, trajectory: mdtraj.Trajectory) -> None:
    """Write with the right times, each replica from 0."""
    edges = [0, *BREAKS, trajectory.n_frames]
    time = np.concatenate([np.arange(b - a) for a, b in pairwise(edges)])
    with XTCTrajectoryFile(str(path), "w") as file:
        file.write(
            trajectory.xyz,
            time=(time * INTERVAL_PS).astype(np.float32),
            step=time.astype(np.int32),
            box=trajectory.unitcell_vectors,
        )


def main() -> None:
    """Write topology.pdb, trajectory.xtc and ligand.sdf."""
    source = source_folder()
    full = Complex.from_files(source / "top.pdb", ligand="LIG")
    own = set(full.ligand.tolist())
    atoms = list(full.topology.atoms())
    gone = [a for a in atoms if a.index not in own and a.element.atomic_number == 1]
    remaining = np.setdiff1d(np.arange(len(atoms)), [a.index for a in gone])
    trajectory = mdtraj.load(str(source / "traj.xtc"), top=str(source / "top.pdb"))
    modeller = app.Modeller(full.topology, full.positions)
    modeller.delete(gone)
    trajectory = trajectory.atom_slice(remaining)

    TARGET.mkdir(parents=True, exist_ok=True)
    first = trajectory.xyz[0].astype(np.float64)
    write_pdb(TARGET / "topology.pdb", modeller.topology, first)
    write_xtc(TARGET / "trajectory.xtc", trajectory)
    small = Complex.from_files(TARGET / "topology.pdb", ligand="LIG")
    molecule = ligand_molecule(small, 10 * first[small.ligand])
    with Chem.SDWriter(os.fspath(TARGET / "ligand.sdf")) as writer:
        writer.write(molecule)
    snapshots = read_snapshots(TARGET / "trajectory.xtc", small)
    print(
        f"{len(snapshots)} snapshots, {snapshots.interval_ps:g} ps apart, {snapshots.breaks}; "
        f"{small.topology.getNumAtoms()} atoms; ligand {Chem.MolToSmiles(Chem.RemoveHs(molecule))}"
    )
    for path in sorted(TARGET.iterdir()):
        print(f"{path.stat().st_size:9d}  {path.name}")


if __name__ == "__main__":
    main()
