"""Completion of a protein structure: selection, missing atoms, modified residues, hydrogens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit
from openmm.app.topology import Residue
from pdbfixer import PDBFixer
from pdbfixer.pdbfixer import substitutions
from scipy.spatial import cKDTree

from ..errors import InputError, one_line, shown
from ..structure.readers import read_structure
from ..structure.residues import (
    BUFFERS,
    CAPS,
    IONS,
    PARENT,
    PEPTIDE_BOND,
    WATER,
    describe,
)
from ..utils.platforms import choose_platform
from .forcefield import bond_modified_residues, parametrised_residues
from .hydrogens import Note, add_hydrogens, standard_name

METALS = frozenset(
    "Li Be Mg Al Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Sr Y Zr Mo Ru Rh Pd Ag Cd Ba La Ce Sm Eu Gd "
    "W Re Os Ir Pt Au Hg Tl Pb".split()
)
"""Whose bonds to a ligand a point charge does not describe; Na, K, Rb, Cs are but salt."""

_POCKET = 0.5  # nm from a heavy atom of the ligand
_SAME_PLACE = 0.08  # nm, nearer than any bond
_WATER_CLASH = 0.22  # nm between a water's oxygen and a heavy atom of the ligand


@dataclass(frozen=True)
class ProteinOptions:
    """Options by which a structure is completed.

    Attributes
    ----------
    ph : float
        Decides the protonation of residues that have no hydrogens in the file.
    waters : bool
        Keep the water of the file.
    nonstandard : str
        'replace' modified residues without parameters by what they were made from, or 'refuse'.
    drop : names of residues to leave out.
    platform : str, optional
        Of the minimisations that place added atoms; the fastest by default.
    """

    ph: float = 7.4
    waters: bool = False
    nonstandard: str = "replace"
    drop: tuple[str, ...] = ()
    platform: str | None = None


def complete_protein(
    path: str | Path, ligand: np.ndarray, options: ProteinOptions, note: Note
) -> app.Modeller:
    """Read a structure and make it whole.

    Parameters
    ----------
    path : PDB or mmCIF
    ligand : (n, 3) float64, nm
        The ligand's heavy atoms; what stands in their place is left out, metals near them refused.
    options : ProteinOptions
    note : callable

    Raises
    ------
    InputError
        A metal in the pocket, a modified residue to refuse, or a structure that PDBFixer cannot
        complete.
    """
    structure = read_structure(path)
    name = Path(path).name
    if structure.alternates:
        note(f"alternate locations (the most occupied is used): {shown(structure.alternates)}")
    modeller = app.Modeller(structure.topology, structure.positions * unit.nanometer)
    _sort_out(modeller, ligand, options, note)
    _uncap(modeller, note)
    for residue in modeller.topology.residues():
        residue.name = standard_name(residue.name)
    _name_water(modeller.topology)
    _refuse_metals(modeller, ligand, name)
    platform = choose_platform(options.platform)
    try:
        topology = _split_at_gaps(modeller.topology, positions_of(modeller), note)
        fixer = _fixer(topology, modeller.positions, platform)
        _fix(fixer, options, note, name)
        completed = app.Modeller(fixer.topology, fixer.positions)
        bond_modified_residues(completed.topology, positions_of(completed))
        add_hydrogens(completed, options.ph, structure.protonation, platform, note)
    except (ValueError, KeyError, IndexError) as error:
        raise InputError(f"{name}: PDBFixer cannot complete it: {one_line(error)}") from error
    return completed


def positions_of(modeller: app.Modeller) -> np.ndarray:
    """Positions (N, 3) float64, nm."""
    return np.array(modeller.positions.value_in_unit(unit.nanometer), dtype=np.float64)


def _sort_out(
    modeller: app.Modeller, ligand: np.ndarray, options: ProteinOptions, note: Note
) -> None:
    """Leave out water, buffers, the residues to drop, and atoms in the ligand's place."""
    positions = positions_of(modeller)
    tree = cKDTree(ligand)
    leave: dict[str, list[Residue]] = {}
    for residue in modeller.topology.residues():
        reason = _why_leave(residue, positions, tree, options)
        if reason:
            leave.setdefault(reason, []).append(residue)
    for reason, residues in leave.items():
        count = Counter(residue.name for residue in residues)
        note(f"left out {reason}: {shown(f'{n} {name}' for name, n in count.items())}")
    modeller.delete([residue for residues in leave.values() for residue in residues])


def _uncap(modeller: app.Modeller, note: Note) -> None:
    """Leave out hydrogens that end a cut chain in place of a carboxylate (HXT, 1HXT, ...)."""
    caps = [
        atom
        for atom in modeller.topology.atoms()
        if atom.residue.name in PARENT and atom.name.strip("123") == "HXT"
    ]
    if caps:
        note(f"HXT replaced by carboxylates: {shown({describe(a.residue): 0 for a in caps})}")
        modeller.delete(caps)


def _name_water(topology: app.Topology) -> None:
    """Names that the force field knows (O, H1, H2) in place of others (OW, 1H, HW1)."""
    for residue in topology.residues():
        if residue.name in WATER:
            count = 0
            for atom in residue.atoms():
                if atom.element is app.element.oxygen:
                    atom.name = "O"
                elif atom.element is app.element.hydrogen:
                    count += 1
                    atom.name = f"H{count}"


def _why_leave(
    residue: Residue, positions: np.ndarray, tree: cKDTree, options: ProteinOptions
) -> str | None:
    if residue.name in options.drop:
        return "as asked"
    if residue.name in PARENT or residue.name in CAPS:
        return None
    atoms = [a.index for a in residue.atoms() if a.element is None or a.element.symbol != "H"]
    nearest = float(tree.query(positions[atoms])[0].min()) if atoms else np.inf
    if residue.name in WATER:
        if not options.waters:
            return "water"
        return "water in the ligand's place" if nearest < _WATER_CLASH else None
    if nearest < _SAME_PLACE:
        return "what stands in the ligand's place (the SDF replaces it)"
    return "buffer and additives" if residue.name in BUFFERS else None


def _refuse_metals(modeller: app.Modeller, ligand: np.ndarray, name: str) -> None:
    positions = positions_of(modeller)
    tree = cKDTree(ligand)
    for atom in modeller.topology.atoms():
        if atom.element is None or atom.element.symbol not in METALS:
            continue
        distance = float(tree.query(positions[atom.index])[0])
        if distance < _POCKET:
            raise InputError(
                f"{name}: metal in the pocket: {describe(atom.residue)} is "
                f"{unit.Quantity(distance, unit.nanometer).value_in_unit(unit.angstrom):.1f} Å "
                "from the ligand, and a point charge does not describe its coordination; bring "
                "your own parameters (neuralmd prepare SYSTEM.xml STRUCTURE.pdb), or leave it out "
                f"(--drop {atom.residue.name})"
            )


def _split_at_gaps(topology: app.Topology, positions: np.ndarray, note: Note) -> app.Topology:
    """Start a new chain where the backbone is broken, so that both ends get termini."""
    split = app.Topology()
    split.setPeriodicBoxVectors(topology.getPeriodicBoxVectors())
    atoms, gaps = {}, []
    for chain in topology.chains():
        copy, before = split.addChain(chain.id), None
        for residue in chain.residues():
            if before is not None and _broken(before, residue, positions):
                gaps.append(f"{describe(before)} – {describe(residue)}")
                copy = split.addChain(chain.id)
            twin = split.addResidue(residue.name, copy, residue.id, residue.insertionCode)
            for atom in residue.atoms():
                atoms[atom] = split.addAtom(atom.name, atom.element, twin, atom.id)
            before = residue
    for bond in topology.bonds():
        split.addBond(atoms[bond[0]], atoms[bond[1]])
    if gaps:
        note(f"gaps in the chain, ended by charged termini: {shown(gaps)}")
    return split


def _broken(left: Residue, right: Residue, positions: np.ndarray) -> bool:
    carbon = [a.index for a in left.atoms() if a.name == "C"]
    nitrogen = [a.index for a in right.atoms() if a.name == "N"]
    if not carbon or not nitrogen or right.name in WATER | IONS:
        return False
    return bool(np.linalg.norm(positions[carbon[0]] - positions[nitrogen[0]]) > PEPTIDE_BOND)


def _fixer(topology: app.Topology, positions: unit.Quantity, platform: openmm.Platform) -> PDBFixer:
    text = StringIO()
    app.PDBFile.writeFile(topology, positions, text, keepIds=True)
    return PDBFixer(pdbfile=StringIO(text.getvalue()), platform=platform)


def _fix(fixer: PDBFixer, options: ProteinOptions, note: Note, name: str) -> None:
    """Replace modified residues and add missing heavy atoms; loops are not built."""
    parametrised = parametrised_residues()
    fixer.findNonstandardResidues()
    modified = [(r, new) for r, new in fixer.nonstandardResidues if r.name not in parametrised]
    if modified and options.nonstandard == "refuse":
        raise InputError(
            f"{name}: modified residues without parameters: "
            f"{shown(describe(r) for r, _ in modified)}; replace them (--nonstandard replace)"
        )
    fixer.nonstandardResidues = modified
    if modified:
        note(f"replaced: {shown(f'{describe(r)} by {new}' for r, new in modified)}")
        fixer.replaceNonstandardResidues()
    present = [
        r for r in fixer.topology.residues() if r.name in parametrised and r.name in substitutions
    ]
    if present:
        note(f"modified residues that have parameters: {shown(map(describe, present))}")
    fixer.missingResidues = {}
    fixer.findMissingAtoms()
    missing = {r: atoms for r, atoms in fixer.missingAtoms.items() if r.name not in CAPS}
    fixer.missingAtoms = missing
    if missing:
        added = [f"{len(atoms)} in {describe(residue)}" for residue, atoms in missing.items()]
        note(f"missing heavy atoms added: {shown(added)}")
    if missing or fixer.missingTerminals:
        fixer.addMissingAtoms(seed=0)
