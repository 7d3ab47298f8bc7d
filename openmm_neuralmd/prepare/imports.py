"""Complexes that have parameters already: Amber, GROMACS and OpenMM files to a complex folder.

Parameters and positions are taken as they are; nothing is added, minimised or repaired.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app, unit
from rdkit import Chem

from ..errors import InputError, NeuralMDError, one_line
from ..md.folder import ComplexFolder, write_folder
from ..structure.complex import Complex
from ..structure.readers import existing, read_structure
from ..structure.residues import selection_of
from ..utils.files import sha256
from ..utils.openmm_xml import deserialize
from ..utils.resume import check_free
from .perception import ligand_molecule
from .prmtop import check_whole

CUTOFF = 0.9  # nm, of periodic systems, where the files do not say


def import_amber(
    prmtop: str | Path,
    coordinates: str | Path,
    output: str | Path,
    *,
    ligand: str | None = None,
    sdf: str | Path | None = None,
    name: str | None = None,
) -> ComplexFolder:
    """Take an Amber prmtop and its inpcrd or rst7.

    Periodic files get PME with a cutoff of 0.9 nm, others none; hydrogens' bonds and water are
    constrained, their force terms kept.

    Parameters
    ----------
    prmtop, coordinates, output : path
    ligand : str, optional
        Residue name, or CHAIN:NUMBER; guessed where only one residue can be it.
    sdf : path, optional
        The ligand with its bond orders; perceived from the geometry without it.
    name : str, optional
        Of the complex; the folder's by default.

    Raises
    ------
    InputError
        A file is damaged or half-written, or they do not fit each other.
    """
    prmtop = existing(prmtop)
    check_whole(prmtop)
    structure = read_structure(prmtop, coordinates)

    def build() -> openmm.System:
        box = structure.topology.getPeriodicBoxVectors()
        source = app.AmberPrmtopFile(str(prmtop), periodicBoxVectors=box)
        options = _options(box)
        return source.createSystem(constraints=app.HBonds, flexibleConstraints=True, **options)

    system = _built(prmtop, build)
    sources = {"amber": [prmtop, Path(coordinates)]}
    return _write(
        output, name, structure.topology, structure.positions, system, ligand, sdf, sources
    )


def import_gromacs(
    top: str | Path,
    gro: str | Path,
    output: str | Path,
    *,
    include: str | Path | None = None,
    ligand: str | None = None,
    sdf: str | Path | None = None,
    name: str | None = None,
) -> ComplexFolder:
    """Take a GROMACS topology and its coordinates.

    Parameters
    ----------
    top, gro, output : path
    include : path, optional
        Where #include looks: the folder of GROMACS's force fields.
    ligand, sdf, name
        As in `import_amber`.

    Raises
    ------
    InputError
    """
    top, gro = existing(top), existing(gro)
    try:
        frame = app.GromacsGroFile(str(gro))
        positions = np.array(frame.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        box = _real_box(frame.getPeriodicBoxVectors())
    except Exception as error:  # a damaged line raises whatever it leads to
        raise InputError(f"cannot read {gro.name}: {one_line(error)}") from error

    def read() -> app.GromacsTopFile:
        extra = {"includeDir": str(include)} if include is not None else {}
        return app.GromacsTopFile(str(top), periodicBoxVectors=box, **extra)

    source = _built(top, read)
    _same_count(top, source.topology.getNumAtoms(), gro, len(positions))

    def build() -> openmm.System:
        whole = source.createSystem(constraints=None, rigidWater=False, **_options(box))
        rigid = source.createSystem(constraints=app.HBonds, rigidWater=True, **_options(box))
        _copy_constraints(rigid, whole)
        return whole

    system = _built(top, build)
    topology = source.topology
    sources = {"gromacs": [top, gro]}
    return _write(output, name, topology, positions, system, ligand, sdf, sources)


def import_openmm(
    system: str | Path,
    structure: str | Path,
    output: str | Path,
    *,
    ligand: str | None = None,
    sdf: str | Path | None = None,
    name: str | None = None,
) -> ComplexFolder:
    """Take an OpenMM System XML and a PDB or mmCIF with its atoms in the same order.

    Parameters
    ----------
    system, structure, output : path
    ligand, sdf, name
        As in `import_amber`.

    Raises
    ------
    InputError
    """
    path = existing(system)
    read = read_structure(structure)

    def build() -> openmm.System:
        return deserialize(path.read_text(errors="replace"), openmm.System, path.name)

    built = _built(path, build)
    _same_count(path, built.getNumParticles(), Path(structure), len(read.positions))
    if built.usesPeriodicBoundaryConditions() and read.topology.getPeriodicBoxVectors() is None:
        read.topology.setPeriodicBoxVectors(built.getDefaultPeriodicBoxVectors())
    sources = {"openmm": [path, Path(structure)]}
    return _write(output, name, read.topology, read.positions, built, ligand, sdf, sources)


def _built(path: Path, build: Callable[[], Any]) -> Any:
    """What a reader makes of a file, or one line that it cannot be read."""
    try:
        return build()
    except NeuralMDError:
        raise
    except Exception as error:  # the readers raise whatever a cut or damaged file leads to
        raise InputError(
            f"cannot read {path.name}: {one_line(error)}; it may be damaged or half-written"
        ) from error


def _options(box: unit.Quantity | None) -> dict[str, Any]:
    if box is None:
        return {"nonbondedMethod": app.NoCutoff}
    return {"nonbondedMethod": app.PME, "nonbondedCutoff": CUTOFF * unit.nanometer}


def _real_box(box: Any) -> Any:
    """None for the box of zeros that GROMACS writes in vacuum."""
    if box is None or box[0][0].value_in_unit(unit.nanometer) == 0:
        return None
    return box


def _same_count(first: Path, atoms: int, second: Path, positions: int) -> None:
    if atoms != positions:
        raise InputError(
            f"{first.name} has {atoms} atoms, {second.name} has {positions}; "
            "give files of the same system"
        )


def _copy_constraints(source: openmm.System, target: openmm.System) -> None:
    present = {
        frozenset(target.getConstraintParameters(n)[:2]) for n in range(target.getNumConstraints())
    }
    for n in range(source.getNumConstraints()):
        i, j, length = source.getConstraintParameters(n)
        if frozenset((i, j)) not in present:
            target.addConstraint(i, j, length)


def _write(
    output: str | Path,
    name: str | None,
    topology: app.Topology,
    positions: np.ndarray,
    system: openmm.System,
    ligand: str | None,
    sdf: str | Path | None,
    sources: dict[str, list[Path]],
) -> ComplexFolder:
    check_free(Path(output))
    complex = Complex.from_openmm(topology, positions, ligand=ligand, name=Path(output).name)
    molecule, orders = ligand_molecule(complex, system, sdf)
    residue = next(list(topology.atoms())[i].residue for i in complex.ligand[:1])
    ((kind, files),) = sources.items()
    record = {
        "name": name or Path(output).name,
        "ligand": {
            "residue": selection_of(residue),
            "name": residue.name,
            "bond_orders": orders,
            "charge": Chem.GetFormalCharge(molecule),
            "atoms": len(complex.ligand),
            "heavy_atoms": len(complex.heavy),
        },
        "parameters": {
            "source": kind,
            "files": {file.name: sha256(file) for file in files},
        },
        "solvent": "as imported",
        "notes": [],
    }
    molecule.SetProp("_Name", residue.name)
    text = Chem.MolToMolBlock(molecule) + "$$$$\n"
    return write_folder(output, topology, system, positions, text, record)
