"""The ligand as an RDKit molecule: bond orders and charges, which only an SDF tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rdkit import Chem, rdBase

from ..units import to_angstrom
from .bonds import heavy_graph, match_atoms
from .readers import existing


def find_molecule(
    sdf: str | Path | None, numbers: np.ndarray, positions: np.ndarray, bonds: np.ndarray
) -> Chem.Mol | None:
    """Find the ligand in an SDF, and put its heavy atoms in the order of the complex.

    Parameters
    ----------
    sdf : path or None
    numbers : (L,) int64
        Atomic numbers of the ligand's atoms.
    positions : (L, 3) float64, nm
    bonds : (b, 2) int64
        Local indices of bonded atoms, see `bonds.find_bonds`.

    Returns
    -------
    rdkit.Chem.Mol or None
        Heavy atoms, hydrogens implicit, with the positions of the complex in Å.  None where there
        is no SDF, or no molecule in it that fits and has valid bond orders: most models do not
        read them, and those that do say so (`Complex.chemistry`).
    """
    if sdf is None:
        return None
    heavy = np.flatnonzero(np.asarray(numbers) > 1)
    place = {int(atom): k for k, atom in enumerate(heavy)}
    elements = [int(numbers[atom]) for atom in heavy]
    pairs = [(place[i], place[j]) for i, j in bonds.tolist() if i in place and j in place]
    own = heavy_graph(elements, pairs)
    points = to_angstrom(positions[heavy])
    with rdBase.BlockLogs(), Chem.SDMolSupplier(str(existing(sdf)), removeHs=False) as supplier:
        molecules = [Chem.RemoveAllHs(one) for one in supplier if one is not None]
    for molecule in molecules:
        listed = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
        graph = heavy_graph(
            listed, [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()]
        )
        match = match_atoms(graph, elements, points, own)
        if match is not None:
            return posed_molecule(Chem.RenumberAtoms(molecule, np.argsort(match).tolist()), points)
    return None


def posed_molecule(molecule: Chem.Mol, points: np.ndarray) -> Chem.Mol:
    """A molecule of heavy atoms at points (n, 3) in Å, as its only conformer."""
    posed = Chem.Mol(molecule)
    posed.RemoveAllConformers()
    conformer = Chem.Conformer(len(points))
    conformer.SetPositions(np.ascontiguousarray(points, dtype=np.float64))
    posed.AddConformer(conformer)
    return posed
