"""Choice of force field files for the protein, its modified residues, water and ions."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
from openmm import app
from openmm.app.topology import Residue

from ..errors import InputError, shown
from ..structure.residues import PARENT, PEPTIDE_BOND, describe

PHOSPHORYLATED = frozenset("SEP TPO PTR S1P T1P Y1P".split())
"""Residues of Amber's phosaa14SB; the names that end in 1P carry one proton."""


@dataclass(frozen=True)
class Parameters:
    """Force field files and what they are called in records."""

    protein: str
    water: str
    files: tuple[str, ...]


STANDARD = Parameters("ff14SB", "TIP3P", ("amber14-all.xml", "amber14/tip3p.xml"))
# openmmforcefields' files: phosaa14SB extends its own ff14SB, which names the types differently.
PHOSPHO = Parameters(
    "ff14SB + phosaa14SB",
    "TIP3P",
    ("amber/ff14SB.xml", "amber/phosaa14SB.xml", "amber/tip3p_standard.xml"),
)


def phospho_file() -> Path | None:
    """phosaa14SB of openmmforcefields, if that package is installed."""
    spec = importlib.util.find_spec("openmmforcefields")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        file = Path(folder) / "ffxml" / "amber" / "phosaa14SB.xml"
        if file.is_file():
            return file
    return None


def parametrised_residues() -> frozenset[str]:
    """Modified residues with parameters on this machine."""
    return PHOSPHORYLATED if phospho_file() is not None else frozenset()


def choose_parameters(topology: app.Topology) -> Parameters:
    """The force field that knows every residue of the protein."""
    names = {residue.name for residue in topology.residues()}
    return PHOSPHO if names & parametrised_residues() else STANDARD


def make_forcefield(
    parameters: Parameters, templates: tuple[str, ...], extra: tuple[str, ...] = ()
) -> app.ForceField:
    """A ForceField of files, and of templates given as XML text."""
    return app.ForceField(*parameters.files, *extra, *(StringIO(text) for text in templates))


def bond_modified_residues(topology: app.Topology, positions: np.ndarray) -> None:
    """Add the bonds of phosphorylated residues, which OpenMM's table of residues lacks."""
    present = [r for r in topology.residues() if r.name in parametrised_residues()]
    if not present:
        return
    file = phospho_file()
    assert file is not None
    bonds = {
        residue.get("name"): [
            (b.get("atomName1"), b.get("atomName2")) for b in residue.iter("Bond")
        ]
        for residue in Xml.parse(file).iter("Residue")
    }
    bonded = {frozenset((a.index, b.index)) for a, b in topology.bonds()}
    residues = list(topology.residues())
    for residue in present:
        own = {atom.name: atom for atom in residue.atoms()}
        pairs = [(own[a], own[b]) for a, b in bonds[residue.name] if a in own and b in own]
        for left, right in ((residue.index - 1, residue.index), (residue.index, residue.index + 1)):
            if left >= 0 and right < len(residues):
                pairs += _peptide_bond(residues[left], residues[right], positions)
        for a, b in pairs:
            if frozenset((a.index, b.index)) not in bonded:
                topology.addBond(a, b)


def _peptide_bond(
    left: app.topology.Residue, right: app.topology.Residue, positions: np.ndarray
) -> list:
    carbon = [a for a in left.atoms() if a.name == "C"]
    nitrogen = [a for a in right.atoms() if a.name == "N"]
    return [
        (a, b)
        for a in carbon
        for b in nitrogen
        if np.linalg.norm(positions[a.index] - positions[b.index]) < PEPTIDE_BOND
    ]


def check_matched(forcefield: app.ForceField, topology: app.Topology, name: str) -> None:
    """Refuse residues without parameters, in one line.

    Raises
    ------
    InputError
    """
    unmatched = forcefield.getUnmatchedResidues(topology)
    if not unmatched:
        return
    names = [f"{describe(r)} ({sum(1 for _ in r.atoms())} atoms)" for r in unmatched]
    foreign = _foreign(topology, unmatched)
    # Dropping a name drops every residue of that name: never offered for an amino acid.
    drop = [f"--drop {name}" for name in dict.fromkeys(r.name for r in foreign)]
    links = [f"{describe(r)} bonded to {describe(other)}" for r, other in foreign.items() if other]
    cause = f" ({shown(links)})" if links else ""
    leave = f"leave it out ({' '.join(drop)}), " if drop else ""
    raise InputError(
        f"{name}: no parameters for {shown(names)}{cause}; mend its atoms and hydrogens, {leave}"
        "or bring your own parameters (neuralmd prepare SYSTEM.xml STRUCTURE.pdb)"
    )


def _foreign(topology: app.Topology, unmatched: list[Residue]) -> dict[Residue, Residue | None]:
    """Residues without parameters that are no amino acids, and the amino acid each is bonded to.

    An amino acid that carries a sugar has no template; the sugar is the cause.
    """
    foreign: dict[Residue, Residue | None] = dict.fromkeys(
        r for r in unmatched if r.name not in PARENT
    )
    for first, second in topology.bonds():
        for own, other in ((first.residue, second.residue), (second.residue, first.residue)):
            if own in foreign and other.name in PARENT:
                foreign[own] = other
    return foreign
