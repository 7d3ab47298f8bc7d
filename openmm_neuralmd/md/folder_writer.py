"""Writing of a complex folder: all files or none, read back before it gets its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openmm
import yaml
from openmm import app, unit

from ..errors import InputError
from ..utils.files import sha256
from ..utils.provenance import provenance
from ..utils.resume import complete_folder
from ..utils.settings import validated
from .folder import (
    FORMAT,
    LIGAND,
    PLATFORM,
    RECORD,
    STATE,
    SYSTEM,
    TOPOLOGY,
    ComplexFolder,
    GivenRecord,
    potential_energy,
)
from .minimise import make_context


def write_folder(
    path: str | Path,
    topology: app.Topology,
    system: openmm.System,
    positions: np.ndarray,
    ligand_sdf: str,
    record: dict[str, Any],
) -> ComplexFolder:
    """Write a complex folder, which appears under its name only when it is complete.

    Parameters
    ----------
    path : path
        Must not exist.
    topology : Topology
        Box included, where the System is periodic.
    system : System
    positions : (N, 3) float64, nm
    ligand_sdf : str
        The ligand as an SDF of one molecule.
    record : dict
        What complex.yaml is to hold besides format, energy, hashes and provenance: `name`,
        `ligand` with its `residue`, and anything else for people.

    Raises
    ------
    InputError
        The folder exists, the record is incomplete, the topology does not survive as a PDB file,
        or the files do not give a complex.  Nothing is left under the folder's name.

    Examples
    --------
    >>> from openmm_neuralmd.prepare import write_folder
    >>> sdf = (folder.path / "ligand.sdf").read_text()
    >>> parts = folder.topology, folder.system(), folder.positions
    >>> copy = write_folder(scratch / "copy", *parts, sdf, folder.record | {"name": "copy"})
    >>> sorted(path.name for path in copy.path.iterdir())
    ['complex.yaml', 'ligand.sdf', 'state.xml', 'system.xml', 'topology.pdb']
    """
    path = Path(path)
    validated(GivenRecord, record, f"record of {path}")
    with complete_folder(path) as temporary:
        _write_files(temporary, topology, system, positions, ligand_sdf)
        names = (TOPOLOGY, LIGAND, SYSTEM, STATE)
        box = topology.getPeriodicBoxVectors() if system.usesPeriodicBoundaryConditions() else None
        whole = {
            "format": FORMAT,
            **{name: value for name, value in record.items() if name != "format"},
            "atoms": system.getNumParticles(),
            "periodic": system.usesPeriodicBoundaryConditions(),
            "energy": {"kj_mol": potential_energy(system, positions, box), "platform": PLATFORM},
            "files": {name: sha256(temporary / name) for name in names},
            "provenance": provenance(),
        }
        text = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=100)
        (temporary / RECORD).write_text(text, encoding="utf-8")
        written = ComplexFolder.open(temporary)
        written.complex()  # refuses a ligand that the files do not have
    return ComplexFolder(path, written.record)


def _write_files(
    folder: Path,
    topology: app.Topology,
    system: openmm.System,
    positions: np.ndarray,
    ligand_sdf: str,
) -> None:
    with (folder / TOPOLOGY).open("w") as file:
        app.PDBFile.writeFile(topology, positions * unit.nanometer, file, keepIds=True)
    _check_topology(folder / TOPOLOGY, topology)
    (folder / LIGAND).write_text(ligand_sdf, encoding="utf-8")
    (folder / SYSTEM).write_text(openmm.XmlSerializer.serialize(system))
    context = make_context(system, positions, PLATFORM)
    if system.usesPeriodicBoundaryConditions():
        context.setPeriodicBoxVectors(*topology.getPeriodicBoxVectors())
    state = context.getState(positions=True, velocities=True)
    (folder / STATE).write_text(openmm.XmlSerializer.serialize(state))


def _check_topology(pdb: Path, topology: app.Topology) -> None:
    """Refuse a topology that PDB cannot hold: long names, bonds of unknown residues."""
    written = app.PDBFile(str(pdb)).topology
    if _identity(written) != _identity(topology):
        raise InputError(
            f"the topology ({topology.getNumAtoms()} atoms, {topology.getNumBonds()} bonds) does "
            f"not survive as a PDB file ({written.getNumAtoms()} atoms, {written.getNumBonds()} "
            "bonds); give residues and atoms short, unique names"
        )


def _identity(topology: app.Topology) -> tuple[list[str | None], set[frozenset[int]]]:
    """Elements, and bonds between atoms as a PDB file can say them.

    Amber bonds virtual sites too, and the third edge of a rigid water may be listed as a bond of
    two hydrogens.
    """
    elements = [a.element.symbol if a.element is not None else None for a in topology.atoms()]
    bonds = {
        frozenset((a.index, b.index))
        for a, b in topology.bonds()
        if a.element and b.element and (a.element, b.element) != (app.element.hydrogen,) * 2
    }
    return elements, bonds
