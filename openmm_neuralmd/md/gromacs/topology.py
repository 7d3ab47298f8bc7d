"""A reference run's System as GROMACS has it: topology, coordinates, groups of atoms."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import openmm
import parmed
from parmed.gromacs import GromacsGroFile, GromacsTopologyFile

from ...errors import InputError
from ...structure.residues import WATER
from ...units import to_angstrom
from ..masses import masses, with_bonds
from ..modes import Setup
from ..selection import without_solvent
from ..subsystem import BONDED, COUPLINGS, nonbonded_force

TOP, GRO, GROUPS = "topol.top", "start.gro", "groups.ndx"
MARGIN = 0.3  # nm beyond the cutoff, between what is simulated and its image
LIST = 1.05  # radius of GROMACS's neighbour list in a minimisation, in cutoffs
RESTRAINT = 1000.0  # kJ/mol/nm², as in the equilibration with OpenMM
_EXPORTED = (*BONDED, openmm.NonbondedForce)
_CONNECTION = 5  # a bond of GROMACS that excludes neighbours and has no energy
_JOINT = 6  # a bond of GROMACS that excludes nothing
_SECTION = re.compile(r"^\[ (\w+) \]", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Exported:
    """Files for grompp.

    Attributes
    ----------
    box : (3, 3) float64, nm
        A real one, or an empty box that is wider than what is simulated by the cutoff.
    shift : (3,) float64, nm
        What was added to every position, to be in the middle of an empty box.
    groups : tuple of str
        Names of the groups that are simulated at a temperature of their own: 'Moving', 'Fixed'.
    """

    box: np.ndarray
    shift: np.ndarray
    groups: tuple[str, ...]


def export(setup: Setup, cutoff: float, written: np.ndarray, folder: Path) -> Exported:
    """Write topol.top, start.gro and groups.ndx.

    Atoms that stand still keep the mass of their element, and connections of no energy where their
    bonded terms were dropped, so that their neighbours are excluded as in OpenMM.

    Parameters
    ----------
    setup : Setup
    cutoff : float, nm
        Of the longest force; decides the empty box of what has none.
    written : (W,) int64
        Atoms of the group 'Written'.
    folder : Path

    Raises
    ------
    InputError
        A force that GROMACS has no equivalent for.
    """
    refuse_foreign(setup.system)
    positions = setup.complex.positions
    box, shift = _box(setup, cutoff)
    structure = _structure(setup, positions + shift, box)
    _write_top(structure, setup, folder / TOP)
    structure.box = _lengths_and_angles(box)
    GromacsGroFile.write(structure, str(folder / GRO), precision=7)
    moving = masses(setup.system) > 0
    every = np.arange(len(moving))
    groups = {"System": every, "Moving": every[moving], "Written": written}
    if not moving.all():
        groups["Fixed"] = every[~moving]
    _write_groups(groups, folder / GROUPS)
    return Exported(box, shift, tuple(name for name in ("Moving", "Fixed") if name in groups))


def refuse_foreign(system: openmm.System) -> None:
    """Refuse what GROMACS cannot compute as OpenMM does."""
    silent = (openmm.CMMotionRemover, *COUPLINGS)
    for force in system.getForces():
        if isinstance(force, (openmm.GBSAOBCForce, openmm.CustomGBForce)):
            raise InputError(
                "GROMACS has no implicit solvent; prepare the complex with --solvent explicit or "
                "vacuum, take --mode pocket, or use --engine openmm"
            )
        if not isinstance(force, (*_EXPORTED, *silent)):
            raise InputError(
                f"system.xml holds a {type(force).__name__}, which GROMACS has no equivalent for; "
                "use --engine openmm"
            )
    if any(system.isVirtualSite(i) for i in range(system.getNumParticles())):
        raise InputError("virtual sites are not exported to GROMACS; use --engine openmm")
    nonbonded_force(system)


def _structure(setup: Setup, positions: np.ndarray, box: np.ndarray) -> parmed.Structure:
    system = with_bonds(setup.system)
    for index in reversed(range(system.getNumConstraints())):
        system.removeConstraint(index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        structure = parmed.openmm.load_topology(
            setup.topology, _merged(system), xyz=to_angstrom(positions)
        )
    for atom, mass in zip(structure.atoms, masses(system), strict=True):
        atom.mass = mass if mass > 0 else parmed.periodic_table.Mass[atom.element_name]
    for residue in structure.residues:
        if residue.name in WATER:
            _name_alike(residue)
    for bond in structure.bonds:
        if bond.type is None:
            bond.funct = _CONNECTION
    return structure


def _name_alike(water: parmed.Residue) -> None:
    """Name hydrogens by their order: GROMACS takes one kind of rigid water, names make kinds."""
    hydrogens = [atom for atom in water.atoms if atom.element_name == "H"]
    for number, atom in enumerate(hydrogens, start=1):
        atom.name = f"H{number}"


def _merged(system: openmm.System) -> openmm.System:
    """Merge all HarmonicBondForces: ParmEd takes a second one for Urey–Bradley terms."""
    bonds = [i for i, f in enumerate(system.getForces()) if isinstance(f, openmm.HarmonicBondForce)]
    for index in reversed(bonds[1:]):
        extra = system.getForce(index)
        for n in range(extra.getNumBonds()):
            system.getForce(bonds[0]).addBond(*extra.getBondParameters(n))
        system.removeForce(index)
    return system


def _write_top(structure: parmed.Structure, setup: Setup, path: Path) -> None:
    water = any(residue.name in WATER for residue in structure.residues)
    if water:
        _join_interleaved(structure)
    top = GromacsTopologyFile.from_structure(structure)
    stream = StringIO()
    top.write(stream, combine=None if water else "all")
    held = held_atoms(setup)
    path.write_text(with_restraints(stream.getvalue(), "POSRES", held, RESTRAINT))


def _join_interleaved(structure: parmed.Structure) -> None:
    """Make one molecule of those whose atoms do not follow each other, as GROMACS wants it.

    A disulfide bond holds two parts of a cropped protein together, with other parts between them.
    The bonds that join these have no energy and exclude no neighbours.

    Raises
    ------
    InputError
        There is water between the parts of a molecule, which GROMACS holds rigid by itself.
    """
    parent = list(range(len(structure.atoms)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for bond in structure.bonds:
        parent[root(bond.atom1.idx)] = root(bond.atom2.idx)
    roots = [root(i) for i in range(len(parent))]
    last = {own: i for i, own in enumerate(roots)}
    end = 0
    for i, own in enumerate(roots):
        if i and own != roots[i - 1] and i <= end and root(i) != root(i - 1):
            if structure.atoms[i].residue.name in WATER:
                water = structure.atoms[i].residue
                raise InputError(
                    f"water {water.number} stands between the atoms of one molecule in the "
                    "topology; move it to the end of the file, or use --engine openmm"
                )
            kind = parmed.BondType(0.0, 1.0)
            structure.bond_types.append(kind)
            joint = parmed.Bond(structure.atoms[i - 1], structure.atoms[i], kind)
            joint.funct = _JOINT
            structure.bonds.append(joint)
            parent[root(i)] = root(i - 1)
        end = max(end, last[own])
    structure.bond_types.claim()


def with_restraints(text: str, name: str, atoms: Sequence[int], stiffness: float) -> str:
    """Add position restraints of atoms under #ifdef `name` to a topology; kJ/mol/nm²."""
    heads = [m.start() for m in _SECTION.finditer(text) if m[1] in ("moleculetype", "system")]
    kinds = [text[start:stop] for start, stop in pairwise(heads)]
    sizes = dict(map(_name_and_size, kinds))
    starts = _first_atoms(text, sizes)
    parts = [text[: heads[0]]]
    for kind, (molecule, size) in zip(kinds, sizes.items(), strict=True):
        own = [i - starts[molecule] + 1 for i in atoms if 0 <= i - starts[molecule] < size]
        lines = "".join(f"{i} 1 {stiffness:g} {stiffness:g} {stiffness:g}\n" for i in own)
        block = f"#ifdef {name}\n[ position_restraints ]\n{lines}#endif\n\n" if own else ""
        parts += [kind, block]
    return "".join([*parts, text[heads[-1] :]])


def held_atoms(setup: Setup) -> list[int]:
    """The solute's heavy atoms that can move."""
    atoms, mass = list(setup.topology.atoms()), masses(setup.system)
    return [
        int(i)
        for i in without_solvent(setup.complex)
        if mass[i] > 0 and atoms[i].element.symbol != "H"
    ]


def _first_atoms(text: str, sizes: dict[str, int]) -> dict[str, int]:
    """Index of the first atom of the first molecule of each kind."""
    rows = text[text.index("[ molecules ]") :].splitlines()[2:]
    starts: dict[str, int] = {}
    atom = 0
    for name, count in (row.split() for row in rows if row.strip()):
        starts.setdefault(name, atom)
        atom += sizes[name] * int(count)
    return starts


def _name_and_size(part: str) -> tuple[str, int]:
    rows = [line for line in part.splitlines() if line.strip() and not line.startswith(";")]
    name = rows[1].split()[0]
    start = rows.index("[ atoms ]") + 1
    atoms = 0
    for row in rows[start:]:
        if row.startswith(("[", "#")):
            break
        atoms += 1
    return name, atoms


def _box(setup: Setup, cutoff: float) -> tuple[np.ndarray, np.ndarray]:
    if setup.periodic:
        assert setup.complex.box is not None
        return setup.complex.box, np.zeros(3)
    positions = setup.complex.positions
    middle = (positions.min(axis=0) + positions.max(axis=0)) / 2
    reach = float(np.linalg.norm(positions - middle, axis=1).max())
    # The neighbour list, which is longer than the cutoff, must not reach beyond half the box.
    side = max(2 * (reach + MARGIN) + cutoff, 2 * (LIST * cutoff + MARGIN))
    return np.eye(3) * side, np.full(3, side / 2) - middle


def _lengths_and_angles(box: np.ndarray) -> list[float]:
    lengths = np.linalg.norm(box, axis=1)
    pairs = ((1, 2), (0, 2), (0, 1))
    cosines = [box[i] @ box[j] / (lengths[i] * lengths[j]) for i, j in pairs]
    return [*to_angstrom(lengths), *np.degrees(np.arccos(cosines))]


def _write_groups(groups: dict[str, np.ndarray], path: Path) -> None:
    lines = []
    for name, members in groups.items():
        lines.append(f"[ {name} ]")
        numbers = [str(i + 1) for i in members]
        lines += [" ".join(numbers[i : i + 15]) for i in range(0, len(numbers), 15)]
    path.write_text("\n".join(lines) + "\n")
