"""Molecules of a complex for PoseBusters and ProLIF, or the reason why there are none."""

from __future__ import annotations

import io
from pathlib import Path

from openmm import unit
from openmm.app import PDBFile

from ..analysis.evaluation import NO_CHEMISTRY, Chemistry
from ..analysis.interactions import pocket_from_text, pocket_molecule
from ..analysis.poses import heavy_molecule
from ..structure.complex import Complex
from ..trajectory.snapshots import Snapshots
from ..utils.optional import installed

INSTALL = "pip install 'openmm_neuralmd[validate]'"
ALL_ATOMS = "start.pdb.gz"
"""In a reference set: all atoms of a complex whose topology.pdb has heavy atoms only."""


def find_chemistry(sdf: Path | None, snapshots: Snapshots) -> Chemistry:
    """Find the ligand with its bond orders, and the protein with its hydrogens.

    PoseBusters needs the first, ProLIF both. The protein is taken from the complex itself if that
    has hydrogens, or from `ALL_ATOMS` beside the SDF.

    Parameters
    ----------
    sdf : Path, optional
        The ligand, its atoms in the order of the complex.
    snapshots : Snapshots
        The trajectory; the protein stands as in its first snapshot.

    Raises
    ------
    InputError
        The SDF has other atoms than the ligand, or another order.
    """
    if sdf is None:
        return NO_CHEMISTRY
    if not installed("posebusters"):
        return Chemistry(missing=f"PoseBusters is not installed: {INSTALL}")
    complex = snapshots.complex
    molecule = heavy_molecule(sdf, complex.ligand_atomic_numbers)
    if not installed("prolif"):
        return Chemistry(molecule, missing=f"ProLIF is not installed: {INSTALL}")
    around = snapshots.ligand[0]
    if (start := sdf.parent / ALL_ATOMS).is_file():
        return Chemistry(molecule, pocket_molecule(start, complex, around))
    if not has_protein_hydrogens(complex):
        missing = "the protein has no hydrogens; give --complex a file that has them"
        return Chemistry(molecule, missing=missing)
    text = io.StringIO()
    positions = complex.positions * unit.nanometer
    PDBFile.writeFile(complex.topology, positions, text, keepIds=True)
    return Chemistry(molecule, pocket_from_text(text.getvalue(), complex.name, complex, around))


def has_protein_hydrogens(complex: Complex) -> bool:
    """Test whether the residues with a backbone have hydrogens."""
    atoms = list(complex.topology.atoms())
    residues = [atoms[index].residue for index in complex.backbone[:, 1]]
    with_hydrogens = [any(a.element.atomic_number == 1 for a in r.atoms()) for r in residues]
    return bool(with_hydrogens) and all(with_hydrogens)
