"""The complex folder: everything that a simulation of a complex starts from, on disk."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import openmm
from openmm import app, unit
from pydantic import BaseModel, ConfigDict

from ..errors import InputError, one_line
from ..structure.complex import Complex
from ..units import nanometers
from ..utils.files import sha256
from ..utils.openmm_xml import deserialize
from ..utils.settings import read_mapping, validated
from .minimise import make_context

TOPOLOGY, LIGAND, SYSTEM, STATE, RECORD = (
    "topology.pdb",
    "ligand.sdf",
    "system.xml",
    "state.xml",
    "complex.yaml",
)
FORMAT = 1
PLATFORM = "Reference"
"""Whose energy the record keeps: double precision, the same on every machine."""


@dataclass(frozen=True, eq=False)
class ComplexFolder:
    """A prepared complex on disk, opened.

    `topology.pdb`, `ligand.sdf`, `system.xml` (all parameters, no repartitioned masses),
    `state.xml` (positions, in nm and double precision; box) and `complex.yaml` (the record).

    Attributes
    ----------
    path : Path
    record : dict
        complex.yaml: name, ligand, parameters, solvent, notes, checks, energy, hashes, versions.

    Examples
    --------
    >>> from openmm_neuralmd.prepare import ComplexFolder
    >>> complex_folder = ComplexFolder.open(folder.path)  # `folder`: T4 lysozyme with p-xylene
    >>> complex_folder.system().getNumParticles(), complex_folder.box
    (2621, None)
    """

    path: Path
    record: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> ComplexFolder:
        """Open a folder; every file must be as it was written.

        Raises
        ------
        InputError
            No such folder, a file is missing or changed, or a newer version wrote it.
        """
        path = Path(path)
        if not (path / RECORD).is_file():
            raise InputError(
                f"{path}: no complex folder (it has no {RECORD}); see neuralmd prepare"
            )
        record = _read_record(path / RECORD)
        for name, expected in record["files"].items():
            if not (path / name).is_file():
                raise InputError(f"{path}: {name} is missing; prepare the complex again")
            if sha256(path / name) != expected:
                raise InputError(
                    f"{path}: {name} is not the file that {RECORD} names (its SHA-256 differs); "
                    "restore it or prepare the complex again"
                )
        return cls(path, record)

    @classmethod
    def of(cls, folder: ComplexFolder | str | Path) -> ComplexFolder:
        """A folder that may be open already."""
        return folder if isinstance(folder, ComplexFolder) else cls.open(folder)

    @property
    def name(self) -> str:
        """Name of the complex for messages and file names."""
        return str(self.record["name"])

    @property
    def solvent(self) -> str:
        """Name of the solvent, where the record has it."""
        return str(self.record.get("solvent", "as given"))

    @cached_property
    def topology(self) -> app.Topology:
        """Atoms and bonds, with the box."""
        topology = _read_topology(self.path / TOPOLOGY)
        topology.setPeriodicBoxVectors(self.box)
        return topology

    @cached_property
    def state(self) -> openmm.State:
        """Positions, velocities (none yet: zero) and box."""
        text = (self.path / STATE).read_text(errors="replace")
        return deserialize(text, openmm.State, str(self.path / STATE))

    @property
    def positions(self) -> np.ndarray:
        """Positions (N, 3) float64, nm."""
        try:
            positions = nanometers(self.state.getPositions(asNumpy=True))
        except openmm.OpenMMException as error:  # the State holds none
            raise InputError(f"{self.path / STATE}: {one_line(error)}") from error
        expected = (self.topology.getNumAtoms(), 3)
        if positions.shape != expected or not (np.abs(positions) < 1e5).all():
            raise InputError(
                f"{self.path / STATE}: positions of shape {positions.shape}, or not numbers; "
                f"{TOPOLOGY} needs {expected}"
            )
        return positions

    @property
    def box(self) -> unit.Quantity | None:
        """Box vectors, or None when the System is not periodic."""
        periodic = self.record["periodic"]
        return self.state.getPeriodicBoxVectors() if periodic else None

    def system(self) -> openmm.System:
        """A new copy of the System."""
        text = (self.path / SYSTEM).read_text(errors="replace")
        system = deserialize(text, openmm.System, str(self.path / SYSTEM))
        if system.getNumParticles() != self.topology.getNumAtoms():
            raise InputError(
                f"{self.path / SYSTEM} has {system.getNumParticles()} particles, {TOPOLOGY} has "
                f"{self.topology.getNumAtoms()} atoms; prepare the complex again"
            )
        return system

    def complex(self) -> Complex:
        """The complex as the network sees it."""
        built = Complex.from_openmm(
            self.topology, self.positions, ligand=self.record["ligand"]["residue"], name=self.name
        )
        return built

    def energy(self, platform: str = PLATFORM) -> float:
        """Potential energy in kJ/mol, computed now from the files."""
        return potential_energy(self.system(), self.positions, self.box, platform)


class _Ligand(BaseModel):
    model_config = ConfigDict(extra="allow")
    residue: str


class GivenRecord(BaseModel):
    """The part of complex.yaml that the caller of `write_folder` has to give."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)
    name: str
    ligand: _Ligand


class _Record(GivenRecord):
    """The entries of complex.yaml that are read; the others are for people."""

    periodic: bool
    files: dict[Literal["topology.pdb", "ligand.sdf", "system.xml", "state.xml"], str]


def _read_record(path: Path) -> dict[str, Any]:
    content = read_mapping(path, "what neuralmd prepare writes")
    if content.get("format") != FORMAT:
        raise InputError(
            f"{path.parent}: folder format {content.get('format')}, this version reads {FORMAT}"
        )
    validated(_Record, content, str(path))
    return content


def _read_topology(path: Path) -> app.Topology:
    try:
        return app.PDBFile(str(path)).topology
    except Exception as error:  # OpenMM's reader raises whatever a broken line leads to
        raise InputError(f"cannot read {path}: {one_line(error)}") from error


def potential_energy(
    system: openmm.System,
    positions: np.ndarray,
    box: unit.Quantity | None = None,
    platform: str = PLATFORM,
) -> float:
    """Potential energy of a System in kJ/mol at positions (N, 3) in nm."""
    context = make_context(system, positions, platform)
    if box is not None:
        context.setPeriodicBoxVectors(*box)
    energy = context.getState(energy=True).getPotentialEnergy()
    return float(energy.value_in_unit(unit.kilojoule_per_mole))
