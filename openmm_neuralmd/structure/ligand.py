"""Identification of the ligand: its residue, and its molecule with bond orders from an SDF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from openmm import app
from openmm.app.topology import Residue
from rdkit import Chem, rdBase

from ..errors import InputError, shown
from ..units import to_angstrom
from .bonds import heavy_graph, match_atoms
from .imaging import minimum_image
from .readers import existing
from .residues import (
    BUFFERS,
    NEVER_A_LIGAND,
    PARENT,
    backbone_of,
    describe,
    residue_key,
    selection_of,
)

MINIMUM_HEAVY_ATOMS = 3
"""Fewer atoms span no frame, so neither a force nor a hydrogen could be placed on them."""


def find_ligand(
    topology: app.Topology, positions: np.ndarray, selection: str | None, box: np.ndarray | None
) -> Residue:
    """The ligand's residue.

    Parameters
    ----------
    topology : Topology
    positions : (N, 3) float64, nm
    selection : str, optional
        A residue name ('LIG'), 'CHAIN:NUMBER' or 'CHAIN:NUMBER:NAME', the number with its
        insertion code if it has one.  None takes the only residue that can be a ligand.
    box : (3, 3) float64 nm, optional

    Raises
    ------
    InputError
        Nothing fits, or more than one residue does.
    """
    residues = list(topology.residues())
    if selection is None:
        options = [r for r in residues if _may_be_ligand(r, residues, positions, box)]
        additives = shown(describe(r) for r in residues if r.name in BUFFERS) or "none"
        what = (
            "no ligand found: every residue is protein, water, ion, cap or additive "
            f"(additives here: {additives})"
        )
    else:
        options = [r for r in residues if _selected(r, selection)]
        candidates = [r for r in residues if _may_be_ligand(r, residues, positions, box)]
        hint = shown(map(describe, candidates)) or "none"
        what = f"no residue fits ligand={selection!r}; candidates here: {hint}"
    if not options:
        raise InputError(f"{what}; name it with ligand='NAME' or ligand='CHAIN:NUMBER'")
    if len(options) > 1:
        distinct = len({selection_of(r) for r in options}) == len(options)
        way = (
            f"choose one with ligand='{selection_of(options[0])}'" if distinct else "renumber them"
        )
        raise InputError(
            f"{len(options)} residues can be the ligand: {shown(map(describe, options))}; {way}"
        )
    return options[0]


def _selected(residue: Residue, selection: str) -> bool:
    return selection in (residue.name, residue_key(residue), selection_of(residue))


def _may_be_ligand(
    residue: Residue, residues: list[Residue], positions: np.ndarray, box: np.ndarray | None
) -> bool:
    if residue.name in NEVER_A_LIGAND or residue.name in PARENT:
        return False
    heavy = sum(a.element is None or a.element.atomic_number > 1 for a in residue.atoms())
    return heavy >= MINIMUM_HEAVY_ATOMS and not _in_chain(residue, residues, positions, box)


def _in_chain(
    residue: Residue, residues: list[Residue], positions: np.ndarray, box: np.ndarray | None
) -> bool:
    """Test whether a residue of unknown name is peptide-bonded: a modified residue."""
    own = backbone_of(residue)
    if own is None:
        return False
    for step, mine, theirs in ((-1, 0, "C"), (1, 2, "N")):
        index = residue.index + step
        if not 0 <= index < len(residues):
            continue
        partners = [a.index for a in residues[index].atoms() if a.name == theirs]
        bond = minimum_image(positions[partners] - positions[own[mine]], box)
        if (np.linalg.norm(bond, axis=-1) < 0.2).any():
            return True
    return False


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
