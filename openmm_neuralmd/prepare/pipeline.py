"""Preparation of a complex folder from a protein structure and a ligand's SDF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import openmm
from openmm import app, unit

from ..md.engines import choose_engine
from ..md.folder import ComplexFolder
from ..md.folder_writer import write_folder
from ..md.masses import repartition
from ..md.minimise import make_context, minimise
from ..md.modes import Setup
from ..md.settings import MDSettings
from ..structure.complex import Complex
from ..structure.residues import selection_of
from ..units import nanometers, to_angstrom
from ..utils.files import sha256
from ..utils.resume import check_free
from . import soundness
from .assembly import assemble, ligand_atoms, ligand_sdf
from .charges import assign_charges, default_method
from .chemistry import Ligand, read_ligand
from .forcefield import Parameters, check_matched, choose_parameters, make_forcefield
from .gaff import gaff_template
from .programs import AmberTools, find_ambertools
from .protein import positions_of
from .record import ligand_record, parameters_record, settings_record
from .settings import PrepareSettings
from .solvents import Solvent, add_water, build_system, choose_solvent

Note = Callable[[str], None]


def _silent(line: str) -> None:
    """Show nothing."""


def prepare(
    protein: str | Path,
    ligand: str | Path,
    output: str | Path,
    *,
    molecule: str | None = None,
    name: str | None = None,
    settings: PrepareSettings | None = None,
    note: Note = _silent,
) -> ComplexFolder:
    """Prepare a complex for simulation.

    Parameters
    ----------
    protein : path
        PDB or mmCIF.
    ligand : path
        SDF with the ligand's pose in the protein's frame.
    output : path
        The complex folder to write; must not exist.
    molecule : str, optional
        Title or number (from 1) of the molecule in the SDF, where it holds several.
    name : str, optional
        Of the complex; the folder's by default.
    settings : PrepareSettings, optional
    note : callable
        Given one line for everything that was chosen, added, replaced or left out.

    Raises
    ------
    InputError
        One line that says what is wrong with which file or atom.
    ProgramError
        AmberTools are missing or failed.

    Examples
    --------
    >>> from openmm_neuralmd.prepare import PrepareSettings, prepare
    >>> settings = PrepareSettings(charges="gasteiger", solvent="vacuum")
    >>> from importlib.resources import files
    >>> data = files("openmm_neuralmd") / "data" / "mcl1"
    >>> prepared = prepare(
    ...     data / "protein.pdb", data / "ligand.sdf", scratch / "mcl1", settings=settings
    ... )
    >>> prepared.record["parameters"]["protein"], prepared.record["parameters"]["charges"]
    ('ff14SB', 'gasteiger')
    """
    settings = settings or PrepareSettings()
    settings.check()
    check_free(Path(output))
    notes: list[str] = []
    tell = _noted(notes, note)
    solvent = choose_solvent(settings.solvent)
    small = read_ligand(ligand, molecule)
    tools = find_ambertools()
    modeller, complex = assemble(protein, small, settings.protein_options(), tell)
    parameters = choose_parameters(modeller.topology)
    template, charges = _parametrise(small, tools, settings, tell)
    tell(f"protein {parameters.protein}, water {parameters.water}, solvent {solvent.description}")
    system = _build(modeller, template, parameters, solvent, Path(protein).name)
    before = positions_of(modeller)
    positions = minimise(system, modeller.topology, before, settings.platform)
    if settings.relax_ps:
        positions = _at_pressure(modeller, complex, system, positions, settings, tell)
    record = {
        "name": name or Path(output).name,
        "ligand": ligand_record(small, Path(ligand)),
        "protein": {"source": Path(protein).name, "sha256": sha256(protein)},
        "parameters": parameters_record(parameters, charges, tools),
        "solvent": solvent.name,
        "settings": settings_record(settings),
        "notes": notes,
        "metals": soundness.check_metals(modeller.topology, before, positions),
        "checks": _check(modeller, complex, system, small, before, positions, settings.platform),
    }
    sdf = ligand_sdf(small, positions[ligand_atoms(modeller.topology)])
    return write_folder(output, modeller.topology, system, positions, sdf, record)


def _noted(notes: list[str], note: Note) -> Note:
    """Function that passes a line on and adds it to the record's notes."""

    def tell(line: str) -> None:
        notes.append(line)
        note(line)

    return tell


def _parametrise(
    ligand: Ligand, tools: AmberTools, settings: PrepareSettings, tell: Note
) -> tuple[str, str]:
    """ForceField XML of the ligand, and how its charges were made."""
    method = settings.charges or default_method(tools)
    charges = assign_charges(ligand, method, tools)
    why = "" if settings.charges else " (by default)"
    rough = " (rough: 0.1 to 0.2 e from AM1-BCC)" if method in ("mmff94", "gasteiger") else ""
    tell(
        f"ligand {ligand.name!r}: {ligand.formula}, charge {ligand.charge:+d}; GAFF2, charges "
        f"{method}{why}{rough}, by {tools.source}"
    )
    return gaff_template(ligand, charges, tools), method


def _build(
    modeller: app.Modeller, template: str, parameters: Parameters, solvent: Solvent, name: str
) -> openmm.System:
    forcefield = make_forcefield(parameters, (template,), solvent.files)
    check_matched(forcefield, modeller.topology, name)
    if solvent.explicit:
        add_water(modeller, forcefield)
    return build_system(forcefield, modeller.topology, solvent)


def _at_pressure(
    modeller: app.Modeller,
    complex: Complex,
    system: openmm.System,
    positions: np.ndarray,
    settings: PrepareSettings,
    tell: Note,
) -> np.ndarray:
    """Positions in a box whose water has its density; topology and System get that box."""
    md = MDSettings(platform=settings.platform)
    topology = modeller.topology
    atoms = list(topology.atoms())
    ligand = selection_of(atoms[complex.ligand[0]].residue)
    whole = Complex.from_openmm(topology, positions, ligand=ligand, name=complex.name)
    own = openmm.XmlSerializer.clone(system)
    repartition(own, topology, md.hydrogen_mass)
    setup = Setup(own, whole, np.arange(len(atoms)), ())
    relaxed, box = choose_engine(settings.engine).relax_box(setup, md, settings.relax_ps)
    vectors = [openmm.Vec3(*row) for row in box] * unit.nanometer
    topology.setPeriodicBoxVectors(vectors)
    system.setDefaultPeriodicBoxVectors(*vectors)
    tell(f"box relaxed at 1 bar for {settings.relax_ps:g} ps by {settings.engine}, solute held")
    context = make_context(system, relaxed, settings.platform)
    context.setPeriodicBoxVectors(*vectors)
    context.applyConstraints(1e-6)
    return nanometers(context.getState(positions=True).getPositions(asNumpy=True))


def _check(
    modeller: app.Modeller,
    complex: Complex,
    system: openmm.System,
    ligand: Ligand,
    before: np.ndarray,
    after: np.ndarray,
    platform: str | None,
) -> dict[str, float]:
    """Check the final positions, and return the measured values."""
    topology = modeller.topology
    context = make_context(system, after, platform)
    state = context.getState(energy=True, forces=True)
    forces = np.array(state.getForces(asNumpy=True))
    soundness.check_finite(float(state.getPotentialEnergy()._value), forces, topology)
    shortest = soundness.check_clashes(topology, after)
    # Water that was added comes last: the complex's indices still hold.
    soundness.check_chirality(topology, before, after, ligand.molecule, complex.ligand)
    shift = soundness.ligand_shift(complex, after)
    soundness.check_stayed(shift)
    return {
        "ligand_moved_angstrom": round(float(to_angstrom(np.asarray(shift))), 3),
        "shortest_contact_angstrom": round(float(to_angstrom(np.asarray(shortest))), 3),
        "largest_force_kj_mol_nm": round(float(np.linalg.norm(forces, axis=1).max()), 1),
    }
