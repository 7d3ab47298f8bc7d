"""Amino acids: their names, their backbone, and which of them follow each other in a chain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from openmm import app
from openmm.app.topology import Residue

from ..errors import InputError
from .imaging import minimum_image

AMINO_ACIDS = (
    "ALA", "ARG", "ASN", "ASP", "CYS", "GLN", "GLU", "GLY", "HIS", "ILE",
    "LEU", "LYS", "MET", "PHE", "PRO", "SER", "THR", "TRP", "TYR", "VAL",
)  # fmt: skip
OTHER = "other"
RESIDUE_TYPES = (*AMINO_ACIDS, OTHER)
"""What `Complex.residue_types` indexes: 20 amino acids in alphabetical order, then 'other'."""

_VARIANTS = {
    "HIS": "HID HIE HIP HSD HSE HSP HISA HISB HISD HISE HISH",
    "CYS": "CYX CYM CYS2",
    "ASP": "ASH ASPH",
    "GLU": "GLH GLUH",
    "LYS": "LYN LYSH",
    "MET": "MSE",
    "ARG": "ARN",
}
_INTERNAL = {name: name for name in AMINO_ACIDS} | {
    variant: parent for parent, variants in _VARIANTS.items() for variant in variants.split()
}
# Amber's libraries name the residues at chain ends NALA, CALA
PARENT = _INTERNAL | {end + name: _INTERNAL[name] for end in "NC" for name in _INTERNAL}
"""Residue name to amino acid: every name that is an amino acid in one of its protonation states."""

PROTONATION = {
    "HID": "HID",
    "HIE": "HIE",
    "HIP": "HIP",
    "HSD": "HID",
    "HSE": "HIE",
    "HSP": "HIP",
    "ASH": "ASH",
    "ASPP": "ASH",
    "GLH": "GLH",
    "GLUP": "GLH",
    "LYN": "LYN",
    "CYM": "CYX",
}
"""Names of Amber and CHARMM that say the protonation, to OpenMM's variants."""

CAPS = frozenset("ACE NME NMA NH2 FOR CT3 NAC".split())
WATER = frozenset("HOH WAT H2O DOD SOL TIP TIP2 TIP3 TIP4 TIP5 TP3 TP4 SPC SPCE OPC T3P".split())
IONS = frozenset(
    "NA NA+ SOD CL CL- CLA K K+ POT LI LI+ LIT RB RB+ CS CS+ CES F F- BR BR- IOD MG MG2 MG2+ CA "
    "CA2 CA2+ CAL ZN ZN2 ZN2+ MN MN2 FE FE2 FE3 CO NI CU CU1 CD CD2 HG BA BAR SR AL".split()
)
BUFFERS = frozenset(
    "SO4 PO4 CO3 BCT ACT ACY GOL EDO PEG PGE PG4 DMS FMT TRS MES EPE CIT BME NO3 IPA EOH MPD IMD "
    "POPC POPE DOPC DPPC DMPC DLPC DOPE DPPE POPS POPG CHL1 CHL CLR PA PC OL PE ST".split()
)
NUCLEOTIDES = frozenset(
    "A C G U I DA DC DG DT DI DU A3 A5 C3 C5 G3 G5 U3 U5 DA3 DA5 DC3 DC5 DG3 DG5 DT3 DT5".split()
)
NEVER_A_LIGAND = CAPS | WATER | IONS | BUFFERS | NUCLEOTIDES
"""Residue names a guess passes over; any of them can still be selected by name or number."""

_BACKBONE_ATOMS = ("N", "CA", "C")
PEPTIDE_BOND = 0.20
"""nm; farther C and N are not bonded: 0.133 at rest, and the next nearest pair is 0.24 away."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """N, CA, C of every amino acid, in sequence order.

    Attributes
    ----------
    atoms : (R, 3) int64
        Particle indices of N, CA and C.
    types : (R,) int64
        Index into `RESIDUE_TYPES`.
    linked : (R,) bool
        Whether residue r is peptide-bonded to residue r + 1.
    """

    atoms: np.ndarray
    types: np.ndarray
    linked: np.ndarray


def describe(residue: Residue) -> str:
    """Name a residue in a message: 'ALA A:52B'."""
    return f"{residue.name} {residue_key(residue)}"


def residue_key(residue: Residue) -> str:
    """'CHAIN:NUMBER' with the insertion code appended to the number."""
    return f"{residue.chain.id}:{residue.id}{residue.insertionCode.strip()}"


def selection_of(residue: Residue) -> str:
    """'CHAIN:NUMBER:NAME': what tells a ligand from a residue of a chain of the same letter."""
    return f"{residue_key(residue)}:{residue.name}"


def backbone_of(residue: Residue) -> tuple[int, int, int] | None:
    """Particle indices of N, CA and C, or None when one of them is missing."""
    index = {atom.name: atom.index for atom in residue.atoms()}
    if not all(name in index for name in _BACKBONE_ATOMS):
        return None
    return index["N"], index["CA"], index["C"]


def find_backbone(
    topology: app.Topology, positions: np.ndarray, ligand: int | None, box: np.ndarray | None
) -> Backbone:
    """Backbone of every amino acid except the ligand's residue.

    Parameters
    ----------
    topology : Topology
    positions : (N, 3) float64, nm
    ligand : int, optional
        Index of the ligand's residue, which may itself look like an amino acid.
    box : (3, 3) float64 nm, optional
        Peptide bonds are measured to the nearest image.

    Raises
    ------
    InputError
        When a residue with an amino acid's name lacks N, CA or C, or there is no protein at all.
    """
    residues, atoms = [], []
    for residue in topology.residues():
        if residue.index == ligand:
            continue
        backbone_atoms = backbone_of(residue)
        if backbone_atoms is None:
            _refuse_incomplete(residue)
            continue
        residues.append(residue)
        atoms.append(backbone_atoms)
    if not atoms:
        raise InputError(
            "no protein: no residue has the backbone atoms N, CA and C; "
            "give the complex, not the ligand alone"
        )
    index = np.array(atoms, dtype=np.int64)
    types = [RESIDUE_TYPES.index(PARENT.get(residue.name, OTHER)) for residue in residues]
    chains = np.array([residue.chain.index for residue in residues])
    linked = np.zeros(len(index), dtype=bool)
    bond = minimum_image(positions[index[1:, 0]] - positions[index[:-1, 2]], box)
    linked[:-1] = (np.linalg.norm(bond, axis=-1) < PEPTIDE_BOND) & (chains[1:] == chains[:-1])
    return Backbone(index, np.array(types, dtype=np.int64), linked)


def _refuse_incomplete(residue: Residue) -> None:
    if residue.name not in PARENT:
        return
    present = {atom.name for atom in residue.atoms()}
    missing = ", ".join(name for name in _BACKBONE_ATOMS if name not in present)
    raise InputError(
        f"residue {describe(residue)} lacks backbone atom {missing}; "
        "complete the protein first (PDBFixer adds missing atoms)"
    )
