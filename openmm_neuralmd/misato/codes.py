"""The integer codes of MISATO's layout, and the names of its arrays.

An entry stores numbers where a PDB file has names.  What number stands for what is part of the
format; which atom of a residue has which name is not stored and comes from `templates`.
"""

from __future__ import annotations

LIGAND_RESIDUE = "MOL"
RESIDUES = (
    "MOL ACE ALA ARG ASN ASP CYS CYX GLN GLU GLY HIE ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL"
).split()
"""Residue names in the order of `atoms_residue`, from 0; everything that is no amino acid is 0."""

TYPES = (
    "2C 3C C C* C8 CA CB CC CN CO CR CT CW CX H H1 H4 H5 HA HC HO HP HS N N2 N3 NA NB O O2 OH S SH "
    "br c c1 c2 c3 ca cc cd ce cf cg ch cl cp cq cs cu cx cy cz f h1 h2 h3 h4 h5 ha hc hn ho hp hs "
    "hx i n n1 n2 n3 n4 n7 n8 na nb nc nd ne nf nh ni nj nk nl nm nn no nq ns nt nu nv nx ny nz "
    "o oh op oq os p5 py s s4 s6 sh ss sx sy"
).split()
"""Atom types in the order of `atoms_type`, from 1: ff14SB in capitals, then GAFF2."""

ELEMENTS = (1, 6, 7, 8, 9, 15, 16, 17, 35, 53)
"""Atomic numbers in the order of `atoms_element`, from 1; any other element is `OTHER_ELEMENT`."""
OTHER_ELEMENT = len(ELEMENTS) + 1

_FAMILY = {"HID": "HIE", "HIP": "HIE", "ASH": "ASP", "GLH": "GLU", "LYN": "LYS", "CYM": "CYS"}

TRAJECTORY = "trajectory_coordinates"
STRUCTURE = "atoms_coordinates_ref"
ATOM_ARRAYS = ("atoms_element", "atoms_number", "atoms_residue", "atoms_type")
BEGINS = "molecules_begin_atom_index"


def residue_code(name: str) -> int:
    """Code of a residue name; a protonation state that MISATO lacks has its amino acid's code."""
    family = _FAMILY.get(name, name)
    return RESIDUES.index(family) if family in RESIDUES else 0


def type_code(name: str) -> int:
    """Code of an atom type; 0, which MISATO never uses, for one that has none."""
    return TYPES.index(name) + 1 if name in TYPES else 0


def element_code(atomic_number: int) -> int:
    """Code of an element."""
    return ELEMENTS.index(atomic_number) + 1 if atomic_number in ELEMENTS else OTHER_ELEMENT
