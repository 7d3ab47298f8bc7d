"""A protein–ligand complex: what the network has to know of a structure, checked once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from openmm import app, unit
from openmm.app.topology import Atom
from rdkit import Chem

from ..errors import InputError
from ..units import nanometers, to_angstrom
from . import checks
from .bonds import find_bonds
from .ligand import find_molecule, posed_molecule
from .parts import box_vectors, find_parts
from .readers import Structure, read_structure
from .residues import RESIDUE_TYPES

__all__ = ["RESIDUE_TYPES", "Complex"]


@dataclass(frozen=True, eq=False)
class Complex:
    """A rigid protein and a ligand that moves.

    Make one with `from_files` or `from_openmm`, which check the structure; the constructor
    does not.

    Attributes
    ----------
    name : str
        For messages and file names.
    topology : Topology
    positions : (N, 3) float64, nm
    ligand : (L,) int64
        Particle indices of the ligand's atoms, hydrogens included, increasing.
    ligand_bonds : (b, 2) int64
        Local indices into `ligand`, i < j.
    backbone : (R, 3) int64
        Particle indices of N, CA, C of each amino acid, in sequence order.
    residue_types : (R,) int64
        Index into `RESIDUE_TYPES`.
    linked : (R,) bool
        Residue r is peptide-bonded to residue r + 1.
    hydrogens : bool
        Whether the ligand's hydrogens are seen and moved by the network too, see
        `with_hydrogens`; its heavy atoms alone by default.
    molecule : rdkit.Chem.Mol or None
        The ligand's heavy atoms in order, with bond orders and charges; None where no SDF gives
        them.  Read it through `chemistry`.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> complex = example_complex("t4l-p-xylene")
    >>> len(complex.ligand), len(complex.heavy), complex.n_residues
    (18, 8, 162)
    """

    name: str
    topology: app.Topology
    positions: np.ndarray
    ligand: np.ndarray
    ligand_bonds: np.ndarray
    backbone: np.ndarray
    residue_types: np.ndarray
    linked: np.ndarray
    hydrogens: bool = False
    molecule: Chem.Mol | None = None

    @classmethod
    def from_files(
        cls,
        path: str | Path,
        *,
        ligand: str | None = None,
        sdf: str | Path | None = None,
        coordinates: str | Path | None = None,
        name: str | None = None,
    ) -> Complex:
        """Read a complex from disk.

        Parameters
        ----------
        path : path
            PDB, mmCIF, or Amber prmtop file.
        ligand : str, optional
            Residue name ('LIG'), 'CHAIN:NUMBER' or 'CHAIN:NUMBER:NAME'.  Without it the only
            residue that can be a ligand is taken.
        sdf : path, optional
            The ligand with its bonds.  Without it they come from the topology, or, when that has
            none, from the distances between atoms.
        coordinates : path, optional
            For prmtop: inpcrd, rst7, PDB or mmCIF.
        name : str, optional
            The file's name by default.

        Raises
        ------
        InputError
            One line that says what is wrong with which file or atom.  See docs/errors.md.
        """
        structure = read_structure(path, coordinates)
        return _build(structure, ligand, sdf, name or Path(path).stem)

    @classmethod
    def from_openmm(
        cls,
        topology: app.Topology,
        positions: Any,
        *,
        ligand: str | None = None,
        sdf: str | Path | None = None,
        name: str = "complex",
    ) -> Complex:
        """Take a complex from OpenMM: a Topology and positions (Quantity, or numbers in nm).

        Parameters
        ----------
        topology, positions
        ligand, sdf, name : see `from_files`
        """
        return _build(Structure(topology, nanometers(positions)), ligand, sdf, name)

    def with_positions(self, positions: Any) -> Complex:
        """Copy with other positions, (N, 3), Quantity or nm."""
        positions = nanometers(positions)
        checks.check_shape(self.topology, positions, self.name)
        checks.check_finite(self.topology, positions, self.name)
        checks.check_units(self.backbone, positions, self.name)
        return replace(self, positions=positions)

    def with_hydrogens(self, hydrogens: bool = True) -> Complex:
        """Copy whose ligand the network sees with its hydrogens (or without)."""
        return self if hydrogens == self.hydrogens else replace(self, hydrogens=hydrogens)

    def with_molecule(self, molecule: Chem.Mol) -> Complex:
        """Copy with the ligand's bond orders from an RDKit molecule.

        Parameters
        ----------
        molecule : rdkit.Chem.Mol
            Sanitised; its heavy atoms in the order of the ligand's.

        Raises
        ------
        InputError
            Other heavy atoms, or another order.
        """
        heavy = Chem.RemoveAllHs(molecule)
        listed = [atom.GetAtomicNum() for atom in heavy.GetAtoms()]
        if listed != self.ligand_atomic_numbers[self.heavy].tolist():
            raise InputError(f"{self.name}: the molecule's heavy atoms are not the ligand's")
        points = to_angstrom(self.positions[self.ligand_heavy])
        return replace(self, molecule=posed_molecule(heavy, points))

    @property
    def chemistry(self) -> Chem.Mol:
        """`molecule`, where the ligand's bond orders are known.

        Raises
        ------
        InputError
            They are not.
        """
        if self.molecule is None:
            raise InputError(
                f"{self.name}: the ligand's bond orders are not known; give its SDF (--sdf FILE, "
                "or sdf= in Python) with valid bond orders and charges"
            )
        return self.molecule

    def fingerprint(self) -> str:
        """SHA-256 of the topology's identity: elements, ligand bonds, residue types, links."""
        sites = (self.sites,) if self.hydrogens else ()
        return _sha256(
            self.ligand_atomic_numbers, self.ligand_bonds, self.residue_types, self.linked, *sites
        )

    def ligand_fingerprint(self) -> str:
        """SHA-256 of the ligand's elements and bonds, in its atoms' order."""
        return _sha256(self.ligand_atomic_numbers, self.ligand_bonds)

    @cached_property
    def ligand_atomic_numbers(self) -> np.ndarray:
        """Atomic numbers (L,) int64 of the ligand's atoms."""
        return np.array([a.element.atomic_number for a in self._ligand_atoms], dtype=np.int64)

    @cached_property
    def ligand_masses(self) -> np.ndarray:
        """Masses (L,) float64 of the elements, amu; without hydrogen mass repartitioning."""
        masses = [a.element.mass.value_in_unit(unit.dalton) for a in self._ligand_atoms]
        return np.array(masses, dtype=np.float64)

    @cached_property
    def heavy(self) -> np.ndarray:
        """Local indices (n,) int64 into `ligand` of its heavy atoms."""
        return np.flatnonzero(self.ligand_atomic_numbers > 1)

    @cached_property
    def ligand_heavy(self) -> np.ndarray:
        """Particle indices (n,) int64 of the ligand's heavy atoms."""
        return self.ligand[self.heavy]

    @cached_property
    def sites(self) -> np.ndarray:
        """Local indices (n,) int64 into `ligand` of what the network sees: heavy or all atoms."""
        return np.arange(len(self.ligand)) if self.hydrogens else self.heavy

    @cached_property
    def ligand_sites(self) -> np.ndarray:
        """Particle indices (n,) int64 of `sites`."""
        return self.ligand[self.sites]

    @cached_property
    def site_bonds(self) -> np.ndarray:
        """Bonds (b', 2) int64 between `sites`, local to them."""
        place = np.full(len(self.ligand), -1)
        place[self.sites] = np.arange(len(self.sites))
        bonds = place[self.ligand_bonds]
        return bonds[(bonds >= 0).all(axis=1)]

    @property
    def n_residues(self) -> int:
        """Number of amino acids, R."""
        return len(self.backbone)

    @cached_property
    def box(self) -> np.ndarray | None:
        """Box vectors as rows, (3, 3) float64 nm, or None when the complex is not periodic."""
        return box_vectors(self.topology)

    @cached_property
    def _ligand_atoms(self) -> list[Atom]:
        atoms = list(self.topology.atoms())
        return [atoms[i] for i in self.ligand]


def _sha256(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        data = np.ascontiguousarray(array, dtype="<i8")
        digest.update(np.array(data.shape, dtype="<i8").tobytes() + data.tobytes())
    return digest.hexdigest()


def _build(
    structure: Structure, selection: str | None, sdf: str | Path | None, name: str
) -> Complex:
    """Find the parts, check them, and take the ligand's bonds from the checked structure."""
    checks.check_structure(structure, name)
    parts = find_parts(structure, selection)
    checks.check_parts(structure, parts, name)
    bonds = find_bonds(structure.topology, parts.residue, parts.positions[parts.ligand], sdf)
    backbone = parts.backbone
    numbers = np.array([atom.element.atomic_number for atom in parts.residue.atoms()])
    molecule = find_molecule(sdf, numbers, parts.positions[parts.ligand], bonds)
    return Complex(
        name,
        structure.topology,
        parts.positions,
        parts.ligand,
        bonds,
        backbone.atoms,
        backbone.types,
        backbone.linked,
        molecule=molecule,
    )
