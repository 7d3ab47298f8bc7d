"""GAFF2 parameters of a ligand, as a residue template of OpenMM's ForceField."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from openmm import app

from ..errors import InputError, ProgramError, shown
from .chemistry import RESIDUE, Ligand, write_sdf
from .programs import AmberTools
from .template import residue_template

_LEAP = """source leaprc.gaff2
mods = loadAmberParams ligand.frcmod
ligand = loadMol2 typed.mol2
saveAmberParm ligand ligand.prmtop ligand.inpcrd
quit
"""


def gaff_template(ligand: Ligand, charges: np.ndarray, tools: AmberTools) -> str:
    """The ligand's parameters as ForceField XML, one atom type per atom.

    Antechamber gives the atom types, parmchk2 what GAFF2 lacks, tleap puts them together.

    Parameters
    ----------
    ligand : Ligand
    charges : (L,) float64, e
    tools : AmberTools

    Raises
    ------
    InputError
        GAFF2 has no parameters for some term.
    ProgramError
        A program failed.
    """
    with TemporaryDirectory(prefix="neuralmd-gaff-") as name:
        prmtop = _prmtop(ligand, tools, Path(name))
        amber = app.AmberPrmtopFile(str(prmtop))
        written = [atom.element.symbol for atom in amber.topology.atoms()]
        if written != ligand.elements:
            raise ProgramError("tleap wrote the ligand's atoms in another order than it was given")
        system = amber.createSystem(constraints=None, removeCMMotion=False)
    return residue_template(RESIDUE, ligand, system, charges)


def _prmtop(ligand: Ligand, tools: AmberTools, folder: Path) -> Path:
    write_sdf(ligand, folder / "ligand.sdf")
    options = f"-fi sdf -fo mol2 -at gaff2 -pf y -dr no -rn {RESIDUE}".split()
    files = ("-i", "ligand.sdf", "-o", "typed.mol2", "-nc", str(ligand.charge))
    tools.run("antechamber", *files, *options, folder=folder)
    # "-s 2", not "-s gaff2": with the name, parmchk2 22.0 takes GAFF 1 in two of three runs.
    options = "-i typed.mol2 -f mol2 -o ligand.frcmod -s 2".split()
    tools.run("parmchk2", *options, folder=folder)
    _check_known((folder / "ligand.frcmod").read_text(), ligand.name)
    (folder / "leap.in").write_text(_LEAP)
    output = tools.run("tleap", "-f", "leap.in", folder=folder)
    prmtop = folder / "ligand.prmtop"
    if not prmtop.is_file() or not prmtop.stat().st_size:
        errors = [line.strip() for line in output.splitlines() if re.search("error", line, re.I)]
        raise ProgramError(
            f"tleap made no parameters of ligand {ligand.name!r}: {shown(errors, 1)}"
        )
    return prmtop


def _check_known(frcmod: str, name: str) -> None:
    """Refuse atom types without parameters, which parmchk2 writes as zeros."""
    unknown = [line[:12].strip() for line in frcmod.splitlines() if "need revision" in line.lower()]
    if unknown:
        raise InputError(
            f"GAFF2 has no parameters for these types in ligand {name!r}: {shown(unknown)}; "
            "bring your own parameters (neuralmd prepare SYSTEM.xml STRUCTURE.pdb)"
        )
