"""A system whose parameters other programs have made: its ligand, and its complex folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import openmm
from openmm import app, unit
from rdkit import Chem, rdBase
from rdkit.Chem import rdDetermineBonds
from rdkit.Geometry import Point3D

from ..errors import InputError, one_line
from ..md.folder import ComplexFolder
from ..md.folder_writer import write_folder
from ..structure.complex import Complex
from ..structure.residues import selection_of
from ..units import to_angstrom
from ..utils.files import sha256
from ..utils.resume import check_free
from .chemistry import read_ligand


class ImportOptions(TypedDict, total=False):
    """Options of the three imports.

    Attributes
    ----------
    ligand : str, optional
        Residue name, or CHAIN:NUMBER; by default the only residue that can be the ligand.
    sdf : path, optional
        The ligand with its bond orders; perceived from the geometry without it.
    name : str, optional
        Name of the complex; by default that of the folder.
    """

    ligand: str | None
    sdf: str | Path | None
    name: str | None


class Parametrised(NamedTuple):
    """A system that files hold completely.

    Attributes
    ----------
    topology : Topology
    positions : (N, 3) float64, nm
    system : System
    source : str
        Program that the files come from.
    files : tuple of Path
    """

    topology: app.Topology
    positions: np.ndarray
    system: openmm.System
    source: str
    files: tuple[Path, ...]

    def write(
        self,
        output: Path,
        ligand: str | None = None,
        sdf: str | Path | None = None,
        name: str | None = None,
    ) -> ComplexFolder:
        """Write the complex folder; see `ImportOptions`."""
        check_free(output)
        topology, system = self.topology, self.system
        complex = Complex.from_openmm(topology, self.positions, ligand=ligand, name=output.name)
        molecule, orders = ligand_molecule(complex, system, sdf)
        residue = next(list(topology.atoms())[i].residue for i in complex.ligand[:1])
        record = {
            "name": name or output.name,
            "ligand": {
                "residue": selection_of(residue),
                "name": residue.name,
                "bond_orders": orders,
                "charge": Chem.GetFormalCharge(molecule),
                "atoms": len(complex.ligand),
                "heavy_atoms": len(complex.heavy),
            },
            "parameters": {
                "source": self.source,
                "files": {file.name: sha256(file) for file in self.files},
            },
            "solvent": "as imported",
            "notes": [],
        }
        molecule.SetProp("_Name", residue.name)
        text = Chem.MolToMolBlock(molecule) + "$$$$\n"
        return write_folder(output, topology, system, self.positions, text, record)


def ligand_molecule(
    complex: Complex, system: openmm.System, sdf: str | Path | None
) -> tuple[Chem.Mol, str]:
    """The ligand in the order of its particles, and where its bond orders are from.

    Parameters
    ----------
    complex : Complex
    system : System
        Its charges on the ligand add up to the formal charge.
    sdf : path, optional
        Bond orders; without it they are perceived by RDKit.

    Raises
    ------
    InputError
        The SDF is of another molecule, or no bond orders fit geometry and charge.
    """
    bare = Chem.RWMol()
    for number in complex.ligand_atomic_numbers:
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        bare.AddAtom(atom)
    for i, j in complex.ligand_bonds:
        bare.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    conformer = Chem.Conformer(bare.GetNumAtoms())
    for i, point in enumerate(to_angstrom(complex.positions[complex.ligand])):
        conformer.SetAtomPosition(i, Point3D(*map(float, point)))
    bare.AddConformer(conformer)
    if sdf is not None:
        return _with_orders(bare.GetMol(), read_ligand(sdf).molecule, Path(sdf).name), "sdf"
    return _perceived(bare.GetMol(), _total_charge(complex.ligand, system)), "perceived"


def _with_orders(bare: Chem.Mol, given: Chem.Mol, source: str) -> Chem.Mol:
    """The SDF's molecule with its atoms in the order of the particles, at their positions."""
    skeleton = Chem.RWMol(given)
    for bond in skeleton.GetBonds():
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetIsAromatic(False)
    for atom in skeleton.GetAtoms():
        atom.SetFormalCharge(0)
        atom.SetIsAromatic(False)
        atom.SetNoImplicit(True)
    match = skeleton.GetMol().GetSubstructMatch(bare)
    if len(match) != bare.GetNumAtoms() or given.GetNumAtoms() != bare.GetNumAtoms():
        raise InputError(f"{source} does not fit the ligand: other atoms or bonds (hydrogens too)")
    ordered = Chem.RenumberAtoms(given, list(match))
    ordered.GetConformer().SetPositions(bare.GetConformer().GetPositions())
    return ordered


def _perceived(bare: Chem.Mol, charge: int) -> Chem.Mol:
    molecule = Chem.RWMol(bare)
    try:
        with rdBase.BlockLogs():
            rdDetermineBonds.DetermineBondOrders(molecule, charge=charge)
    except (ValueError, RuntimeError) as error:
        raise InputError(
            f"the ligand's bond orders cannot be told from its geometry (charge {charge:+d}): "
            f"{one_line(error)}; give it as an SDF (--sdf)"
        ) from error
    return molecule.GetMol()


def _total_charge(ligand: np.ndarray, system: openmm.System) -> int:
    forces = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
    if not forces:
        raise InputError("the System has no NonbondedForce, so the ligand's charge is unknown")
    charges = [forces[0].getParticleParameters(int(i))[0] for i in ligand]
    return round(sum(q.value_in_unit(unit.elementary_charge) for q in charges))
