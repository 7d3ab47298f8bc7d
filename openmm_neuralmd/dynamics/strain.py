"""Strain of a ligand's pose: how MMFF94 would move atoms that springs hold in their places.

A pose from a crystal or from docking has other bond lengths, angles and torsions than a force field
likes, and so than MD has.  RDKit's MMFF94 needs no parameters of the user, takes some 40 ms, and
knows which way each atom goes; the protein is not in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers
from rdkit.Geometry import Point3D

from ..bindingnet.chemistry import LigandChemistry

HOLD = 20.0
"""kcal/mol/Å², of the spring that holds each heavy atom: hydrogen bonds and walls of a pocket."""
LARGEST = 1.0
"""Å, of one atom: beyond it a pose is broken rather than strained."""
STEPS = 1000


def strain_relief(chemistry: LigandChemistry, x: ArrayLike) -> NDArray[np.float64]:
    """Displacement (n, 3) in Å of held heavy atoms at x (n, 3) Å by the molecule's own forces.

    Hydrogens are placed anew, relax first, and are free.  At most `LARGEST` for one atom.  Zero
    for a molecule that MMFF94 (Halgren, J. Comput. Chem. 17, 490, 1996) has no parameters for,
    for a part of a molecule, and where atoms are in one place.

    Examples
    --------
    >>> import numpy as np
    >>> from rdkit import Chem
    >>> from rdkit.Chem import AllChem
    >>> from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
    >>> molecule = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    >>> _ = AllChem.EmbedMolecule(molecule, randomSeed=1)
    >>> _ = AllChem.MMFFOptimizeMolecule(molecule)
    >>> chemistry = ligand_chemistry(molecule)
    >>> relaxed = molecule.GetConformer().GetPositions()[chemistry.atoms]
    >>> bool(np.abs(strain_relief(chemistry, relaxed)).max() < 0.01)
    True
    """
    positions = np.asarray(x, dtype=np.float64)
    if chemistry.molecule is None or not np.isfinite(positions).all():
        return np.zeros_like(positions)
    centred = positions - positions.mean(axis=0)
    axes = _principal_axes(centred)
    start = centred @ axes.T
    molecule = Chem.AddHs(_posed(chemistry.molecule, start), addCoords=True)
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
    if properties is None:
        return np.zeros_like(positions)
    try:
        relaxed = _relaxed(molecule, properties, len(start))
    except RuntimeError:  # atoms in one place: the minimiser finds no direction
        return np.zeros_like(positions)
    away = (relaxed - start) @ axes
    size = np.linalg.norm(away, axis=1, keepdims=True)
    bounded: NDArray[np.float64] = away / np.maximum(size / LARGEST, 1.0)
    return bounded


def _relaxed(molecule: Chem.Mol, properties: Any, heavy: int) -> NDArray[np.float64]:
    """Positions (n, 3) of the first atoms, held by springs; the hydrogens relax first, too."""
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, properties)
    for atom in range(heavy):
        field.AddFixedPoint(atom)
    field.Minimize(maxIts=STEPS)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, properties)
    field.Initialize()
    for atom in range(heavy):
        field.MMFFAddPositionConstraint(atom, 0.0, HOLD)
    field.Minimize(maxIts=STEPS, forceTol=1e-6, energyTol=1e-9)
    positions: NDArray[np.float64] = molecule.GetConformer().GetPositions()[:heavy]
    return positions


def _principal_axes(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right-handed principal axes, as rows: a turned pose gives the minimiser the same numbers."""
    axes = np.linalg.svd(x)[2]
    axes = axes * np.where(((x @ axes.T) ** 3).sum(axis=0) < 0, -1.0, 1.0)[:, None]
    axes[2] *= np.linalg.det(axes)
    return axes


def _posed(molecule: Chem.Mol, positions: NDArray[np.float64]) -> Chem.Mol:
    """Copy with one conformer, at `positions`."""
    posed = Chem.Mol(molecule)
    posed.RemoveAllConformers()
    conformer = Chem.Conformer(len(positions))
    for atom, place in enumerate(positions):
        conformer.SetAtomPosition(atom, Point3D(*place.tolist()))
    posed.AddConformer(conformer)
    return posed
