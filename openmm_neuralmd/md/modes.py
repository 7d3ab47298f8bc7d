"""Modes of a reference run: all atoms move, a pocket moves, or the ligand alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import openmm
from openmm import app

from ..structure.complex import Complex
from ..structure.residues import selection_of
from .folder import ComplexFolder
from .interaction import interaction_force, intraligand_force
from .masses import constrain_hydrogens, masses, repartition
from .minimise import with_cutoff
from .selection import (
    Selection,
    around_ligand,
    is_solvent,
    part_of_topology,
)
from .settings import MDSettings
from .subsystem import (
    BONDED,
    COUPLINGS,
    IMPLICIT_SOLVENTS,
    bonded_part,
    nonbonded_force,
    nonbonded_part,
)

GROUPS = {"bonded": 0, "nonbonded": 1, "solvent": 2, "interaction": 3, "other": 4}
"""Force groups: the same numbers in every mode."""

POCKET_CUTOFF = 1.2  # nm


@dataclass(frozen=True, eq=False)
class Setup:
    """System that a run simulates.

    Attributes
    ----------
    system : System
        Repartitioned masses, 0 where nothing moves; forces in `GROUPS`; no thermostat, no barostat.
    complex : Complex
        Topology and start of the particles in `system`.
    particles : (K,) int64
        Their indices in the complex folder.
    notes : tuple of str
        What was left out or changed.
    """

    system: openmm.System
    complex: Complex
    particles: np.ndarray
    notes: tuple[str, ...]

    @property
    def topology(self) -> app.Topology:
        """Topology of the particles in `system`."""
        return self.complex.topology

    @property
    def periodic(self) -> bool:
        """True if the System has a periodic box."""
        return bool(self.system.usesPeriodicBoundaryConditions())

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the force groups that hold an energy, in the order of their numbers."""
        silent = (openmm.CMMotionRemover, *COUPLINGS)
        used = {f.getForceGroup() for f in self.system.getForces() if not isinstance(f, silent)}
        return tuple(name for name, number in GROUPS.items() if number in used)

    def counts(self) -> dict[str, int]:
        """Number of particles, and of those that move, by name."""
        moving = int((masses(self.system) > 0).sum())
        return {"kept": self.system.getNumParticles(), "moving": moving}


def flexible(
    folder: ComplexFolder, whole: Complex, settings: MDSettings
) -> tuple[openmm.System, Selection]:
    """Set up mode 'flexible': all atoms move, under all forces of the folder."""
    system = folder.system()
    for index in reversed(range(system.getNumForces())):
        if isinstance(system.getForce(index), COUPLINGS):
            system.removeForce(index)
    if settings.cutoff is not None:
        system = with_cutoff(system, settings.cutoff)
    for force in system.getForces():
        name = "bonded" if type(force) in BONDED else "other"
        if isinstance(force, IMPLICIT_SOLVENTS):
            name = "solvent"
        elif isinstance(force, openmm.NonbondedForce):
            name = "nonbonded"
        force.setForceGroup(GROUPS[name])
    every = np.arange(system.getNumParticles())
    return system, Selection(every, np.ones(len(every), dtype=bool), whole.positions)


def pocket(
    folder: ComplexFolder, whole: Complex, settings: MDSettings
) -> tuple[openmm.System, Selection]:
    """Set up mode 'pocket': ligand, residues and water near it move in a fixed shell."""
    selection = around_ligand(whole, settings.pocket_radius, settings.shell_radius, water=True)
    source = folder.system()
    residues = [atom.residue.index for atom in whole.topology.atoms()]
    water = is_solvent(whole.topology, whole.ligand)[residues][selection.particles]
    system = bonded_part(source, selection, water)
    cutoff = POCKET_CUTOFF if settings.cutoff is None else settings.cutoff
    bounded = None if np.isinf(cutoff) else cutoff
    force = nonbonded_part(nonbonded_force(source), selection, bounded)
    force.setForceGroup(GROUPS["nonbonded"])
    system.addForce(force)
    return system, selection


def rigid(
    folder: ComplexFolder, whole: Complex, settings: MDSettings
) -> tuple[openmm.System, Selection]:
    """Set up mode 'rigid': the ligand moves in the field of residues near it, without solvent."""
    selection = around_ligand(whole, 0.0, settings.rigid_radius)
    source = folder.system()
    system, force = bonded_part(source, selection), nonbonded_force(source)
    own = intraligand_force(force, selection, whole.ligand)
    other = interaction_force(force, selection, whole.ligand, settings.dielectric)
    own.setForceGroup(GROUPS["nonbonded"])
    other.setForceGroup(GROUPS["interaction"])
    system.addForce(own)
    system.addForce(other)
    return system, selection


Mode = Callable[[ComplexFolder, Complex, MDSettings], tuple[openmm.System, Selection]]
MODES: dict[str, Mode] = {"flexible": flexible, "pocket": pocket, "rigid": rigid}


def build(folder: ComplexFolder, settings: MDSettings) -> Setup:
    """The System that a run simulates.

    Raises
    ------
    InputError
        Settings that fit nothing, or forces that a reduced run cannot carry.

    Examples
    --------
    >>> from openmm_neuralmd.md import MDSettings, build
    >>> setup = build(folder, MDSettings(mode="rigid"))  # `folder`: T4 lysozyme with p-xylene
    >>> setup.counts()["moving"], setup.periodic
    (18, False)
    """
    settings.check()
    whole = folder.complex()
    system, selection = MODES[settings.mode](folder, whole, settings)
    complex = _part_of_complex(whole, selection, system.usesPeriodicBoundaryConditions())
    notes = _left_out(folder, system, len(selection.particles))
    added = constrain_hydrogens(system, complex.topology)
    if added:
        notes += (f"{added} bonds to hydrogens constrained",)
    if settings.hydrogen_mass > 0:
        repartition(system, complex.topology, settings.hydrogen_mass)
    return Setup(system, complex, selection.particles, notes)


def _part_of_complex(whole: Complex, selection: Selection, periodic: bool) -> Complex:
    topology = part_of_topology(whole.topology, selection.particles)
    if not periodic:
        topology.setPeriodicBoxVectors(None)
    ligand = list(whole.topology.atoms())[whole.ligand[0]].residue
    key = selection_of(ligand)
    return Complex.from_openmm(topology, selection.positions, ligand=key, name=whole.name)


def _left_out(folder: ComplexFolder, system: openmm.System, kept: int) -> tuple[str, ...]:
    notes = []
    missing = int(folder.record["atoms"]) - kept
    if missing:
        notes.append(f"{missing} of {folder.record['atoms']} atoms are left out")
    before = {type(force).__name__ for force in folder.system().getForces()}
    gone = before - {type(force).__name__ for force in system.getForces()}
    lost = sorted(gone - {"CMMotionRemover", "NonbondedForce"})
    if lost:
        notes.append(f"forces left out: {', '.join(lost)}")
    return tuple(notes)
