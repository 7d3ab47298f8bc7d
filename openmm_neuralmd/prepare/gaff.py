"""GAFF2 parameters of a ligand, as a residue template of OpenMM's ForceField."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import openmm
from openmm import app, unit

from ..errors import InputError, ProgramError, shown
from .chemistry import RESIDUE, Ligand, write_sdf
from .programs import AmberTools

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


_COULOMB_14 = "0.8333333333333334"
_LJ_14 = "0.5"


def residue_template(
    residue: str, ligand: Ligand, system: openmm.System, charges: np.ndarray
) -> str:
    """ForceField XML.

    Parameters
    ----------
    residue : str
        Name of the residue.
    ligand : Ligand
        Names, elements and bonds.
    system : System
        Amber-like: HarmonicBondForce, HarmonicAngleForce, PeriodicTorsionForce, NonbondedForce;
        without constraints; particles in the ligand's order.
    charges : (L,) float64, e
        In place of the System's.
    """
    types = [f"{residue}-{name}" for name in ligand.atom_names]
    root = Xml.Element("ForceField")
    forces = {type(force): force for force in system.getForces()}
    _atom_types(root, system, ligand, types)
    _residue(root, residue, ligand, types, charges)
    _bonds(root, forces[openmm.HarmonicBondForce], types)
    _angles(root, forces[openmm.HarmonicAngleForce], types)
    bonded = {frozenset(bond[:2]) for bond in ligand.bonds}
    _torsions(root, forces[openmm.PeriodicTorsionForce], types, bonded)
    _nonbonded(root, forces[openmm.NonbondedForce], types)
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode")


def _atom_types(root: Xml.Element, system: openmm.System, ligand: Ligand, types: list[str]) -> None:
    group = Xml.SubElement(root, "AtomTypes")
    for i, (name, element) in enumerate(zip(types, ligand.elements, strict=True)):
        mass = system.getParticleMass(i).value_in_unit(unit.dalton)
        _add(group, "Type", {"name": name, "class": name, "element": element, "mass": mass})


def _residue(
    root: Xml.Element, residue: str, ligand: Ligand, types: list[str], charges: np.ndarray
) -> None:
    group = Xml.SubElement(Xml.SubElement(root, "Residues"), "Residue", name=residue)
    for name, kind, charge in zip(ligand.atom_names, types, charges, strict=True):
        _add(group, "Atom", {"name": name, "type": kind, "charge": float(charge)})
    for i, j, _ in ligand.bonds:
        names = ligand.atom_names[i], ligand.atom_names[j]
        _add(group, "Bond", {"atomName1": names[0], "atomName2": names[1]})


def _bonds(root: Xml.Element, force: openmm.HarmonicBondForce, types: list[str]) -> None:
    group = Xml.SubElement(root, "HarmonicBondForce")
    for n in range(force.getNumBonds()):
        i, j, length, k = _plain(force.getBondParameters(n))
        _add(group, "Bond", {**_classes(types, i, j), "length": length, "k": k})


def _angles(root: Xml.Element, force: openmm.HarmonicAngleForce, types: list[str]) -> None:
    group = Xml.SubElement(root, "HarmonicAngleForce")
    for n in range(force.getNumAngles()):
        i, j, m, angle, k = _plain(force.getAngleParameters(n))
        _add(group, "Angle", {**_classes(types, i, j, m), "angle": angle, "k": k})


def _torsions(
    root: Xml.Element,
    force: openmm.PeriodicTorsionForce,
    types: list[str],
    bonded: set[frozenset[int]],
) -> None:
    """Amber's torsions; of an improper the third atom is the centre, which ForceField wants first.

    Unless the first atom of all would stand at its end, where a prmtop has no way to write it:
    tleap reverses such an improper (the angle stays the same), and the centre is the second.
    """
    group = Xml.SubElement(root, "PeriodicTorsionForce", ordering="amber")
    series: dict[tuple[int, ...], list[tuple[float, ...]]] = defaultdict(list)
    for n in range(force.getNumTorsions()):
        i, j, k, m, *term = _plain(force.getTorsionParameters(n))
        series[(i, j, k, m)].append(tuple(term))
    for (i, j, k, m), terms in series.items():
        proper = all(frozenset(pair) in bonded for pair in ((i, j), (j, k), (k, m)))
        if proper:
            order = (i, j, k, m)
        elif all(frozenset((k, other)) in bonded for other in (i, j, m)):
            order = (k, i, j, m)
        else:
            order = (j, m, k, i)
        attributes = _classes(types, *order)
        for number, (periodicity, phase, height) in enumerate(terms, start=1):
            attributes |= {
                f"periodicity{number}": periodicity,
                f"phase{number}": phase,
                f"k{number}": height,
            }
        _add(group, "Proper" if proper else "Improper", attributes)


def _nonbonded(root: Xml.Element, force: openmm.NonbondedForce, types: list[str]) -> None:
    group = Xml.SubElement(root, "NonbondedForce", coulomb14scale=_COULOMB_14, lj14scale=_LJ_14)
    Xml.SubElement(group, "UseAttributeFromResidue", name="charge")
    for i, kind in enumerate(types):
        _, sigma, epsilon = _plain(force.getParticleParameters(i))
        _add(group, "Atom", {"type": kind, "sigma": sigma, "epsilon": epsilon})


def _classes(types: list[str], *atoms: int) -> dict[str, Any]:
    return {f"class{n}": types[i] for n, i in enumerate(atoms, start=1)}


def _plain(values: Any) -> Iterator[Any]:
    """Numbers in OpenMM's units."""
    return (
        v.value_in_unit_system(unit.md_unit_system) if unit.is_quantity(v) else v for v in values
    )


def _add(group: Xml.Element, tag: str, attributes: dict[str, Any]) -> None:
    Xml.SubElement(group, tag, {key: str(value) for key, value in attributes.items()})
