"""Alternate locations of atoms in PDB and mmCIF files, and which one of a residue is taken."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import shown
from .pdb_text import is_atom


class AlternateLocationWarning(UserWarning):
    """Warning: some atoms have alternate locations, and one of them was chosen."""


@dataclass(frozen=True)
class Location:
    """One alternate location of one atom; a residue has several names where mmCIF has two ids."""

    residue: str
    names: tuple[str, ...]
    atom: str
    label: str
    occupancy: float


def pdb_location(line: str) -> Location | None:
    """Parse the alternate location of an ATOM record; None for every other record."""
    if not is_atom(line) or not line[16:17].strip():
        return None
    return Location(
        residue=f"{line[21].strip()}:{line[22:27].strip()}",
        names=(f"{line[17:20].strip()} {line[21].strip()}:{line[22:27].strip()}",),
        atom=line[12:16].strip(),
        label=line[16],
        occupancy=float(line[54:60].strip() or 1),
    )


def mmcif_location(row: list[str], column: dict[str, int]) -> Location | None:
    """Parse the alternate location of a row of _atom_site; None for an atom with one only."""

    def value(*names: str) -> str:
        cell = next((row[column[name]] for name in names if name in column), ".")
        return "" if cell in (".", "?") else cell

    label = value("label_alt_id")
    if not label:
        return None
    number = value("auth_seq_id", "label_seq_id") + value("pdbx_PDB_ins_code")
    name = value("auth_comp_id", "label_comp_id")
    chains = (value("auth_asym_id", "label_asym_id"), value("label_asym_id"))
    return Location(
        residue=f"{chains[0]}:{number}",
        names=tuple(f"{name} {chain}:{number}" for chain in chains),
        atom=value("auth_atom_id", "label_atom_id"),
        label=label,
        occupancy=float(value("occupancy") or 1),
    )


def choose(file: str, found: list[Location]) -> dict[str, str]:
    """One location per residue, so that its atoms fit each other: the highest mean occupancy."""
    occupancies: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for location in found:
        occupancies[location.residue][location.label].append(location.occupancy)
    chosen = {
        residue: max(sorted(labels), key=lambda label: float(np.mean(labels[label])))
        for residue, labels in occupancies.items()
    }
    if chosen:
        warnings.warn(
            f"{file}: alternate locations in {shown(chosen)}; "
            "took the one of the highest occupancy in each residue",
            AlternateLocationWarning,
            stacklevel=2,
        )
    return chosen


def alternate_atoms(found: Iterable[Location | None]) -> dict[str, list[str]]:
    """Residue, as 'NAME CHAIN:NUMBER', to its atoms that have alternate locations."""
    atoms: dict[str, list[str]] = defaultdict(list)
    for location in found:
        if location is None:
            continue
        for name in location.names:
            if location.atom not in atoms[name]:
                atoms[name].append(location.atom)
    return dict(atoms)
