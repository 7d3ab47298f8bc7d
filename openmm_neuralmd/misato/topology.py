"""The topology of an entry: residues, atom names and bonds, none of which it stores."""

from __future__ import annotations

import string

import numpy as np
from openmm import app
from openmm.app.topology import Atom, Chain
from scipy.spatial import cKDTree

from ..errors import InputError
from ..structure.bonds import perceive_bonds
from ..units import to_nm
from .codes import LIGAND_RESIDUE
from .reader import Entry
from .templates import Template, match

OTHER_RESIDUE = "COF"
"""A molecule that is neither protein nor the ligand: a second ligand, a cofactor."""

_CHAIN_IDS = string.ascii_uppercase + string.digits + string.ascii_lowercase
_DISULFIDE = 2.5  # Å
_PEPTIDE = 2.0  # Å


def residues_of(entry: Entry, molecule: range) -> list[tuple[range, Template | None]]:
    """Residues of one molecule, with their templates; None for a run of atoms without names.

    Raises
    ------
    InputError
        Atoms that an amino acid's code is given to, but that spell none of its forms.
    """
    types, residues = entry.type.tolist(), entry.residue.tolist()
    heavy = not (entry.number[molecule.start : molecule.stop] == 1).any()
    assigned: list[tuple[range, Template | None]] = []
    start = molecule.start
    while start < molecule.stop:
        if residues[start] == 0:
            stop = start
            while stop < molecule.stop and residues[stop] == 0:
                stop += 1
            assigned.append((range(start, stop), None))
        else:
            template = match(types, residues, start, heavy=heavy)
            if template is None or start + len(template.atoms) > molecule.stop:
                raise InputError(
                    f"{entry.label}: the atoms from {start} on spell no residue of Amber's ff14SB; "
                    "was the entry cut or reordered?"
                )
            stop = start + len(template.atoms)
            assigned.append((range(start, stop), template))
        start = stop
    return assigned


def build_topology(entry: Entry, positions: np.ndarray) -> app.Topology:
    """Chains, residues, atom names and bonds of an entry; positions (N, 3) in Å.

    Every molecule is a chain, residues are numbered from 1 in each.  The ligand is one residue MOL,
    also when it is a peptide, its atoms named by element and place.
    """
    topology = app.Topology()
    atoms: list[Atom] = []
    molecules = entry.molecules
    ligand = entry.ligand if entry.has_ligand else None
    for k, molecule in enumerate(molecules):
        chain = topology.addChain(_CHAIN_IDS[k % len(_CHAIN_IDS)])
        if molecule == ligand:
            _add_unnamed(topology, chain, entry, molecule, LIGAND_RESIDUE, atoms)
            _bond_ligand(topology, entry, molecule, atoms, positions)
            continue
        for span, template in residues_of(entry, molecule):
            if template is None:
                _add_unnamed(topology, chain, entry, span, OTHER_RESIDUE, atoms)
                _bond_by_distance(topology, entry, span, atoms, positions)
            else:
                _add_residue(topology, chain, template, atoms)
        _bond_chain(topology, chain, positions)
    _bond_disulfides(topology, positions)
    return topology


def _add_residue(
    topology: app.Topology, chain: Chain, template: Template, atoms: list[Atom]
) -> None:
    residue = topology.addResidue(template.name, chain, str(len(list(chain.residues())) + 1))
    first = len(atoms)
    for name, element in zip(template.atoms, template.elements, strict=True):
        atoms.append(topology.addAtom(name, app.Element.getBySymbol(element), residue))
    for i, j in template.bonds:
        topology.addBond(atoms[first + i], atoms[first + j])


def _add_unnamed(
    topology: app.Topology, chain: Chain, entry: Entry, span: range, name: str, atoms: list[Atom]
) -> None:
    residue = topology.addResidue(name, chain, str(len(list(chain.residues())) + 1))
    counts: dict[str, int] = {}
    for i in span:
        element = app.Element.getByAtomicNumber(int(entry.number[i]))
        counts[element.symbol] = count = counts.get(element.symbol, 0) + 1
        atoms.append(topology.addAtom(f"{element.symbol}{count}", element, residue))


def _bond_ligand(
    topology: app.Topology, entry: Entry, span: range, atoms: list[Atom], positions: np.ndarray
) -> None:
    """A peptide's bonds are known from its residues; those of other ligands are perceived."""
    bonds = peptide_bonds(entry, positions) if entry.peptide_ligand else None
    if bonds is None:
        _bond_by_distance(topology, entry, span, atoms, positions)
        return
    for i, j in bonds:
        topology.addBond(atoms[span.start + i], atoms[span.start + j])


def peptide_bonds(entry: Entry, positions: np.ndarray) -> list[tuple[int, int]] | None:
    """Bonds of a peptide ligand in local indices; None if parts of it are no amino acids."""
    span = entry.ligand
    residues = residues_of(entry, span)
    if any(template is None for _, template in residues):
        return None
    bonds: list[tuple[int, int]] = []
    ends: list[int] = []
    sulphurs: list[int] = []
    for part, template in residues:
        assert template is not None
        offset = part.start - span.start
        bonds += [(offset + i, offset + j) for i, j in template.bonds]
        if ends and "N" in template.atoms:
            bonds.append((ends[-1], offset + template.atoms.index("N")))
        ends = [offset + template.atoms.index("C")] if "C" in template.atoms else []
        if template.name == "CYX":
            sulphurs.append(offset + template.atoms.index("SG"))
    local = positions[span.start : span.stop]
    near = cKDTree(local[sulphurs]).query_pairs(_DISULFIDE) if len(sulphurs) > 1 else set()
    return bonds + [(sulphurs[a], sulphurs[b]) for a, b in sorted(near)]


def _bond_by_distance(
    topology: app.Topology, entry: Entry, span: range, atoms: list[Atom], positions: np.ndarray
) -> None:
    inside = slice(span.start, span.stop)
    for i, j in perceive_bonds(entry.number[inside].tolist(), to_nm(positions[inside])):
        topology.addBond(atoms[span.start + i], atoms[span.start + j])


def _bond_chain(topology: app.Topology, chain: Chain, positions: np.ndarray) -> None:
    """Peptide bonds; MISATO starts a new molecule at a gap, so distance only confirms them."""
    previous: Atom | None = None
    for residue in chain.residues():
        named = {atom.name: atom for atom in residue.atoms()}
        start = named.get("N")
        if previous is not None and start is not None:
            length = np.linalg.norm(positions[previous.index] - positions[start.index])
            if length < _PEPTIDE:
                topology.addBond(previous, start)
        previous = named.get("C")


def _bond_disulfides(topology: app.Topology, positions: np.ndarray) -> None:
    sulphurs = [a for a in topology.atoms() if a.name == "SG" and a.residue.name == "CYX"]
    if len(sulphurs) < 2:
        return
    tree = cKDTree(positions[[a.index for a in sulphurs]])
    for i, j in sorted(tree.query_pairs(_DISULFIDE)):
        topology.addBond(sulphurs[i], sulphurs[j])
