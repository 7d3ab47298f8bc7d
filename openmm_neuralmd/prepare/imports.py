"""Complexes that have parameters already: Amber, GROMACS and OpenMM files to a complex folder.

Parameters and positions are taken as they are; nothing is added, minimised or repaired.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import openmm
from openmm import app, unit

from ..errors import InputError, NeuralMDError, one_line
from ..md.folder import ComplexFolder
from ..structure.readers import existing, read_structure
from ..utils.files import in_utf8, read_text
from ..utils.openmm_xml import deserialize
from .parametrised import ImportOptions, Parametrised
from .prmtop import check_whole

CUTOFF = 0.9  # nm, of periodic systems, where the files do not say


def import_amber(
    prmtop: str | Path,
    coordinates: str | Path,
    output: str | Path,
    **options: Unpack[ImportOptions],
) -> ComplexFolder:
    """Make a complex folder of an Amber prmtop and its inpcrd or rst7.

    Periodic files get PME with a cutoff of 0.9 nm, others no cutoff. Bonds of hydrogens and water
    are constrained; their force terms stay.

    Parameters
    ----------
    prmtop, coordinates, output : path
    **options
        See `ImportOptions`.

    Raises
    ------
    InputError
        A file is damaged or half-written, or they do not fit each other.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from openmmtools.testsystems import get_data_filename
    >>> from openmm_neuralmd.md import MDSettings, build
    >>> from openmm_neuralmd.prepare import import_amber
    >>> data = Path(get_data_filename("data/T4-lysozyme-L99A-implicit"))
    >>> files = data / "complex.prmtop", data / "complex-minimized.crd"
    >>> with TemporaryDirectory() as folder:
    ...     complex_folder = import_amber(*files, Path(folder) / "t4l")
    ...     setup = build(complex_folder, MDSettings(mode="rigid"))
    >>> setup.counts()["moving"]
    18
    """
    prmtop = existing(prmtop)
    check_whole(prmtop)
    structure = read_structure(prmtop, coordinates)

    def build() -> openmm.System:
        box = structure.topology.getPeriodicBoxVectors()
        with in_utf8(prmtop) as readable:
            source = app.AmberPrmtopFile(str(readable), periodicBoxVectors=box)
        cutoff = _cutoff(box)
        return source.createSystem(constraints=app.HBonds, flexibleConstraints=True, **cutoff)

    system, files = _built(prmtop, build), (prmtop, Path(coordinates))
    read = Parametrised(structure.topology, structure.positions, system, "amber", files)
    return read.write(Path(output), **options)


def import_gromacs(
    top: str | Path,
    gro: str | Path,
    output: str | Path,
    *,
    include: str | Path | None = None,
    **options: Unpack[ImportOptions],
) -> ComplexFolder:
    """Make a complex folder of a GROMACS topology and its coordinates.

    Parameters
    ----------
    top, gro, output : path
    include : path, optional
        Folder of GROMACS's force fields, where #include looks.
    **options
        See `ImportOptions`.

    Raises
    ------
    InputError
        A file is damaged, or they do not fit each other.

    Examples
    --------
    >>> import parmed
    >>> from openmmtools.testsystems import get_data_filename
    >>> from openmm_neuralmd.prepare import import_gromacs
    >>> data = get_data_filename("data/T4-lysozyme-L99A-implicit")
    >>> amber = parmed.load_file(f"{data}/complex.prmtop", f"{data}/complex.crd")
    >>> top, gro = scratch / "t4l.top", scratch / "t4l.gro"
    >>> amber.save(str(top))
    >>> amber.save(str(gro))
    >>> import_gromacs(top, gro, scratch / "t4l").system().getNumParticles()
    2621
    """
    top, gro = existing(top), existing(gro)
    positions, box = _read_gro(gro)

    def read() -> app.GromacsTopFile:
        extra = {"includeDir": str(include)} if include is not None else {}
        return _TopFile(str(top), periodicBoxVectors=box, **extra)

    source = _built(top, read)
    _same_count(top, source.topology.getNumAtoms(), gro, len(positions))

    def build() -> openmm.System:
        whole = source.createSystem(constraints=None, rigidWater=False, **_cutoff(box))
        rigid = source.createSystem(constraints=app.HBonds, rigidWater=True, **_cutoff(box))
        _copy_constraints(rigid, whole)
        return whole

    system = _built(top, build)
    parametrised = Parametrised(source.topology, positions, system, "gromacs", (top, gro))
    return parametrised.write(Path(output), **options)


def import_openmm(
    system: str | Path,
    structure: str | Path,
    output: str | Path,
    **options: Unpack[ImportOptions],
) -> ComplexFolder:
    """Make a complex folder of a System XML and a PDB or mmCIF with its atoms in the same order.

    Parameters
    ----------
    system, structure, output : path
    **options
        See `ImportOptions`.

    Raises
    ------
    InputError
        A file is damaged, or they do not fit each other.

    Examples
    --------
    >>> from openmm_neuralmd.prepare import import_openmm
    >>> files = folder.path / "system.xml", folder.path / "topology.pdb"
    >>> import_openmm(*files, scratch / "t4l").name
    't4l'
    """
    path = existing(system)
    read = read_structure(structure)

    def build() -> openmm.System:
        return deserialize(path.read_text(errors="replace"), openmm.System, path.name)

    built, files = _built(path, build), (path, Path(structure))
    _same_count(path, built.getNumParticles(), files[1], len(read.positions))
    if built.usesPeriodicBoundaryConditions() and read.topology.getPeriodicBoxVectors() is None:
        read.topology.setPeriodicBoxVectors(built.getDefaultPeriodicBoxVectors())
    parametrised = Parametrised(read.topology, read.positions, built, "openmm", files)
    return parametrised.write(Path(output), **options)


class _TopFile(app.GromacsTopFile):
    """OpenMM's reader, for a topology and included files in any encoding."""

    def _processFile(self, file: str) -> None:
        text = re.sub(r"\\\s*?\n", " ", read_text(file))
        for line in io.StringIO(text, newline=None):
            self._processLine(line, file)


def _read_gro(gro: Path) -> tuple[np.ndarray, Any]:
    """Positions (N, 3) in nm, and the box or None."""
    try:
        with in_utf8(gro) as readable:
            frame = app.GromacsGroFile(str(readable))
        positions = np.array(frame.getPositions(asNumpy=True).value_in_unit(unit.nanometer))
        return positions, _real_box(frame.getPeriodicBoxVectors())
    except Exception as error:  # a damaged line raises whatever it leads to
        raise InputError(f"cannot read {gro.name}: {one_line(error)}") from error


def _built(path: Path, build: Callable[[], Any]) -> Any:
    """Return what a reader makes of a file, or raise one line that it cannot be read."""
    try:
        return build()
    except NeuralMDError:
        raise
    except Exception as error:  # the readers raise whatever a cut or damaged file leads to
        raise InputError(
            f"cannot read {path.name}: {one_line(error)}; it may be damaged or half-written"
        ) from error


def _cutoff(box: unit.Quantity | None) -> dict[str, Any]:
    if box is None:
        return {"nonbondedMethod": app.NoCutoff}
    return {"nonbondedMethod": app.PME, "nonbondedCutoff": CUTOFF * unit.nanometer}


def _real_box(box: Any) -> Any:
    """Return the box, or None for the box of zeros that GROMACS writes in vacuum."""
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
