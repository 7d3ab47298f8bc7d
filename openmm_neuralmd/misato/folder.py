"""An entry as a complex folder: topology.pdb, trajectory.dcd, ligand.sdf, complex.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from openmm import app, unit
from rdkit import Chem

from ..errors import InputError, one_line
from ..structure.complex import Complex
from ..structure.readers import existing
from ..trajectory.snapshots import write_trajectory
from ..units import to_angstrom, to_nm
from ..utils.resume import complete_folder
from ..utils.settings import read_mapping
from .chemistry import (
    Chemistry,
    known,
    perceive,
    single_bonds,
)
from .codes import LIGAND_RESIDUE, RESIDUES, TYPES
from .layout import LigandCodes
from .reader import Entry
from .structure import entry_interval, read_complex
from .topology import peptide_bonds, residues_of

PDB, TRAJECTORY, SDF, SETTINGS = "topology.pdb", "trajectory.dcd", "ligand.sdf", "complex.yaml"


def ligand_chemistry(entry: Entry, complex: Complex) -> Chemistry:
    """Bond orders of the entry's ligand: of its amino acids if it is a peptide, else perceived."""
    numbers = complex.ligand_atomic_numbers
    positions = to_angstrom(complex.positions[complex.ligand])
    whole = entry.peptide_ligand and bool((numbers == 1).any())
    if not whole or peptide_bonds(entry, to_angstrom(complex.positions)) is None:
        return perceive(numbers, positions, complex.ligand_bonds)
    first = entry.ligand.start
    residues = [
        (span.start - first, template.name, template.atoms)
        for span, template in residues_of(entry, entry.ligand)
        if template is not None
    ]
    return known(single_bonds(numbers, positions, complex.ligand_bonds), residues)


def ligand_codes(entry: Entry) -> LigandCodes:
    """The ligand's atom types and residue names as MISATO has them."""
    span = slice(entry.ligand.start, entry.ligand.stop)
    return LigandCodes(
        tuple(TYPES[code - 1] for code in entry.type[span]),
        tuple(RESIDUES[code] for code in entry.residue[span]),
    )


def write_folder(
    entry: Entry, folder: str | Path, *, interval: Any = None, replace: bool = False
) -> Path:
    """Write the entry as files any program reads; coordinates stay as MISATO has them.

    `topology.pdb` holds the first snapshot, `trajectory.dcd` (left out for an entry of one
    structure) all of them; `ligand.sdf` says in its fields where its bond orders come from, and
    `complex.yaml` keeps what the others cannot hold, so that the way back loses nothing of it.
    The folder gets its name when it is complete.

    Raises
    ------
    InputError
        The folder exists, unless this function wrote it and it is to be replaced.
    """
    folder = Path(folder)
    try:
        with complete_folder(folder, replace=replace and _is_converted(folder)) as temporary:
            _write_files(entry, temporary, interval)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or one_line(error)}") from error
    return folder


def _is_converted(folder: Path) -> bool:
    """Return whether `write_folder` wrote everything in a folder."""
    if not (folder / SETTINGS).is_file() or "interval_source" not in read_settings(folder):
        return False
    return {path.name for path in folder.iterdir()} <= {PDB, TRAJECTORY, SDF, SETTINGS}


def _write_files(entry: Entry, folder: Path, interval: Any) -> None:
    complex = read_complex(entry)
    chemistry = ligand_chemistry(entry, complex)
    interval_ps = entry_interval(entry, interval)
    source = "in the file" if entry.interval_ps else "8 ns over 100 snapshots by MISATO's paper"
    source = source if interval is None else "given"
    with (folder / PDB).open("w") as file:
        positions = complex.positions * unit.nanometer
        app.PDBFile.writeFile(complex.topology, positions, file, keepIds=True)
    if entry.snapshots:
        snapshots = to_nm(np.concatenate(list(entry.blocks())))
        write_trajectory(folder / TRAJECTORY, complex, snapshots, interval_ps)
    _write_sdf(folder / SDF, entry, chemistry)
    settings = _settings(entry, complex, chemistry, interval_ps, source)
    (folder / SETTINGS).write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def _write_sdf(path: Path, entry: Entry, chemistry: Chemistry) -> None:
    molecule = Chem.Mol(chemistry.molecule)
    molecule.SetProp("_Name", f"{entry.name} ligand")
    molecule.SetProp("bond_orders", chemistry.source)
    molecule.SetProp("net_charge", str(chemistry.charge))
    writer = Chem.SDWriter(str(path))
    writer.write(molecule)
    writer.close()


def _settings(
    entry: Entry, complex: Complex, chemistry: Chemistry, interval_ps: float, source: str
) -> dict[str, Any]:
    ligand = list(complex.topology.atoms())[int(complex.ligand[0])].residue
    codes = ligand_codes(entry)
    return {
        "name": entry.name,
        "source": f"{entry.path.name}, entry {entry.name} (MISATO's layout)",
        "ligand": f"{ligand.chain.id}:{ligand.id}:{LIGAND_RESIDUE}",
        "interval_ps": interval_ps,
        "interval_source": source,
        "ligand_is_peptide": entry.peptide_ligand,
        "ligand_bond_orders": chemistry.source,
        "ligand_net_charge": chemistry.charge,
        "ligand_atom_types": " ".join(codes.types),
        "ligand_atom_residues": " ".join(codes.residues) if entry.peptide_ligand else "MOL",
    }


def read_settings(folder: str | Path) -> dict[str, Any]:
    """Read `complex.yaml`."""
    return read_mapping(existing(Path(folder) / SETTINGS), "what neuralmd convert writes")


def settings_codes(settings: dict[str, Any]) -> LigandCodes | None:
    """Codes of the ligand in `write_folder`'s settings, if there are any."""
    types = str(settings.get("ligand_atom_types") or "").split()
    residues = str(settings.get("ligand_atom_residues") or "").split()
    if len(residues) == 1:
        residues *= len(types)
    return LigandCodes(tuple(types), tuple(residues)) if types else None
