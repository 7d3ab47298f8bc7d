"""A System of one molecule to a residue template of OpenMM's ForceField.

Every atom has a type of its own, so that no term can be taken for another: the merged System has
the molecule's terms exactly, beside any protein force field with Amber's 1–4 scaling.  (ForceField
matches atoms by the graph alone, so equivalent ones, such as both sides of a phenyl, may change
places; that shows only in the improper torsions of a molecule that is not flat, below 0.1 kJ/mol.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import openmm
from openmm import unit

from .chemistry import Ligand

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
