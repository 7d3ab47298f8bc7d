"""Checks of a relaxed complex: finite, without clashes, chirality kept, ligand in place.

Positions are (N, 3) in nm throughout.  Each check raises `InputError` in one line, or returns the
number that the record keeps.
"""

from __future__ import annotations

import numpy as np
from openmm import app
from rdkit import Chem
from rdkit.Geometry import Point3D
from scipy.spatial import cKDTree

from ..errors import InputError, shown
from ..structure.complex import Complex
from ..structure.imaging import superpose
from ..structure.residues import WATER, describe
from ..units import to_angstrom
from .protein import METALS

POCKET = 0.5  # nm from a heavy atom of the ligand to the nearest of the protein
FARTHEST = 0.2  # nm RMS that a ligand may move while minimised
_COORDINATION = 0.28  # nm from a metal to an atom that holds it
_METAL_SHIFT = 0.25  # Å
_CLASH = 0.20  # nm between heavy atoms that are neither bonded nor share a neighbour
_CLASH_HYDROGEN = 0.13  # nm, of which one is hydrogen


def check_in_pocket(protein: app.Topology, positions: np.ndarray, ligand: np.ndarray) -> None:
    """Check that the ligand's heavy atoms (n, 3) touch the protein somewhere."""
    heavy = [a.index for a in protein.atoms() if a.element is not None and a.element.symbol != "H"]
    nearest = float(cKDTree(positions[heavy]).query(ligand)[0].min())
    if nearest > POCKET:
        raise InputError(
            f"the ligand is {_angstrom(nearest):.1f} Å from the protein; "
            "are both files in one frame of coordinates? dock or align first"
        )


def check_finite(energy: float, forces: np.ndarray, topology: app.Topology) -> None:
    """Check that energy in kJ/mol and forces (N, 3) are finite."""
    bad = np.flatnonzero(~np.isfinite(forces).all(axis=1))
    if len(bad):
        atom = list(topology.atoms())[bad[0]]
        raise InputError(
            f"the force on {atom.name} of {describe(atom.residue)} is not a number; "
            "atoms lie upon each other there"
        )
    if not np.isfinite(energy):
        raise InputError("the energy is not a number; atoms lie upon each other")


def check_clashes(topology: app.Topology, positions: np.ndarray) -> float:
    """Refuse atoms that are too close; return the shortest heavy-atom distance in nm."""
    pairs = clashes(topology, positions)
    if pairs:
        raise InputError(clash_message(topology, positions, pairs))
    return _shortest(topology, positions, _neighbours(topology))


def clashes(topology: app.Topology, positions: np.ndarray) -> list[tuple[int, int]]:
    """Find pairs of atoms that are too close and that no bond or common neighbour joins."""
    atoms = list(topology.atoms())
    close = cKDTree(positions).query_pairs(_CLASH, output_type="ndarray")
    light = np.array([a.element is not None and a.element.symbol == "H" for a in atoms])
    ions = np.array([a.element is None or a.element.symbol in METALS for a in atoms])
    distance = np.linalg.norm(positions[close[:, 0]] - positions[close[:, 1]], axis=1)
    limit = np.where(light[close].any(axis=1), _CLASH_HYDROGEN, _CLASH)
    suspects = close[(distance < limit) & ~ions[close].any(axis=1)]
    near = _neighbours(topology)
    return [(int(i), int(j)) for i, j in suspects if j not in near[i]]


def clash_message(
    topology: app.Topology, positions: np.ndarray, pairs: list[tuple[int, int]]
) -> str:
    """Count the clashes and describe the first one by its atoms and distance."""
    atoms, (i, j) = list(topology.atoms()), pairs[0]
    gap = _angstrom(float(np.linalg.norm(positions[i] - positions[j])))
    return (
        f"{len(pairs)} clashes stay after minimisation: {atoms[i].name} of "
        f"{describe(atoms[i].residue)} and {atoms[j].name} of {describe(atoms[j].residue)} "
        f"are {gap:.2f} Å apart; mend the pose or the side chain"
    )


def check_metals(
    topology: app.Topology, before: np.ndarray, after: np.ndarray
) -> list[dict[str, str | float]]:
    """Distances from metals to the N, O and S atoms that hold them, water excepted.

    Charges alone pull a ligating atom in until it touches: a Zn–O of 2.08 Å becomes 1.76 Å.

    Parameters
    ----------
    topology : Topology
    before, after : (N, 3) float64, nm
        As the file has them, and minimised.

    Returns
    -------
    list of dict
        'metal', 'atom', 'before_angstrom', 'after_angstrom'.

    Raises
    ------
    InputError
        A distance changed by more than 0.25 Å.
    """
    atoms = list(topology.atoms())
    metals = [a for a in atoms if a.element is not None and a.element.symbol in METALS]
    donors = [
        a.index
        for a in atoms
        if a.element is not None and a.element.symbol in "NOS" and a.residue.name not in WATER
    ]
    if not metals or not donors:
        return []
    tree, rows = cKDTree(before[donors]), []
    for metal in metals:
        for i in tree.query_ball_point(before[metal.index], _COORDINATION):
            donor = atoms[donors[i]]
            was, is_ = (
                round(_angstrom(float(np.linalg.norm(x[metal.index] - x[donor.index]))), 2)
                for x in (before, after)
            )
            atom = f"{donor.name} of {describe(donor.residue)}"
            if abs(is_ - was) > _METAL_SHIFT:
                raise InputError(
                    f"{describe(metal.residue)} leaves its place at {atom}: {was:.2f} Å before "
                    f"minimising, {is_:.2f} Å after; point charges do not describe it: bring your "
                    "own parameters (neuralmd prepare SYSTEM.xml STRUCTURE.pdb), or leave it out "
                    f"(--drop {metal.residue.name})"
                )
            named = {"metal": describe(metal.residue), "atom": atom}
            rows.append(named | {"before_angstrom": was, "after_angstrom": is_})
    return rows


def check_chirality(
    topology: app.Topology, before: np.ndarray, after: np.ndarray, ligand: Chem.Mol, own: np.ndarray
) -> None:
    """Handedness of every amino acid and every stereo centre of the ligand; `own` its particles."""
    flipped = [
        describe(residue)
        for residue, corners in _alpha_carbons(topology)
        if _handedness(before[corners]) * _handedness(after[corners]) < 0
    ]
    first, last = _stereo(ligand, before[own]), _stereo(ligand, after[own])
    flipped += [f"atom {i + 1} of the ligand" for i in sorted(first) if first[i] != last.get(i)]
    if flipped:
        raise InputError(f"chirality changed while minimising: {shown(flipped)}; mend the input")


def ligand_shift(complex: Complex, after: np.ndarray) -> float:
    """RMS displacement in nm of the ligand's heavy atoms, Cα superposed."""
    alpha = complex.backbone[:, 1]
    rotation, translation = superpose(after[alpha][None], complex.positions[alpha])
    turned = after[complex.ligand_heavy] @ rotation[0] + translation[0]
    moved = turned - complex.positions[complex.ligand_heavy]
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def check_stayed(shift: float) -> None:
    """Check that the ligand has not left its pose."""
    if shift > FARTHEST:
        raise InputError(
            f"the ligand moved {_angstrom(shift):.1f} Å while minimised: "
            "its pose clashes; dock it again"
        )


def _angstrom(distance: float) -> float:
    return float(to_angstrom(np.asarray(distance)))


def _neighbours(topology: app.Topology) -> list[set[int]]:
    """Atoms one or two bonds away."""
    bonded: list[set[int]] = [set() for _ in range(topology.getNumAtoms())]
    for a, b in topology.bonds():
        bonded[a.index].add(b.index)
        bonded[b.index].add(a.index)
    return [set().union(first, *(bonded[j] for j in first)) for first in bonded]


def _shortest(topology: app.Topology, positions: np.ndarray, near: list[set[int]]) -> float:
    """The shortest distance in nm between heavy atoms more than two bonds apart."""
    heavy = [a.index for a in topology.atoms() if a.element is not None and a.element.symbol != "H"]
    pairs = cKDTree(positions[heavy]).query_pairs(0.35, output_type="ndarray")
    index = np.array(heavy)[pairs]
    distance = np.linalg.norm(positions[index[:, 0]] - positions[index[:, 1]], axis=1)
    for n in np.argsort(distance):
        if index[n, 1] not in near[index[n, 0]]:
            return float(distance[n])
    return float("inf")


def _alpha_carbons(topology: app.Topology) -> list[tuple[app.topology.Residue, list[int]]]:
    alphas = []
    for residue in topology.residues():
        index = {atom.name: atom.index for atom in residue.atoms()}
        if all(name in index for name in ("N", "CA", "C", "CB")):
            alphas.append((residue, [index[name] for name in ("CA", "N", "C", "CB")]))
    return alphas


def _handedness(corners: np.ndarray) -> float:
    """Signed volume spanned by three neighbours seen from the first point; (4, 3)."""
    return float(np.linalg.det(corners[1:] - corners[0]))


def _stereo(ligand: Chem.Mol, positions: np.ndarray) -> dict[int, str]:
    """Atom to CIP label, and double bond (by its first atom, negative) to Z or E."""
    molecule = Chem.Mol(ligand)
    conformer = molecule.GetConformer()
    for i, point in enumerate(to_angstrom(positions)):
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    Chem.AssignStereochemistryFrom3D(molecule)
    labels = {
        a.GetIdx(): a.GetProp("_CIPCode") for a in molecule.GetAtoms() if a.HasProp("_CIPCode")
    }
    return labels | {
        b.GetBeginAtomIdx(): str(b.GetStereo())
        for b in molecule.GetBonds()
        if b.GetStereo() not in (Chem.BondStereo.STEREONONE, Chem.BondStereo.STEREOANY)
    }
