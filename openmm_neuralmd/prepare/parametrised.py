"""A system whose parameters other programs have made, and its complex folder."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import openmm
from openmm import app
from rdkit import Chem

from ..md.folder import ComplexFolder
from ..md.folder_writer import write_folder
from ..structure.complex import Complex
from ..structure.residues import selection_of
from ..utils.files import sha256
from ..utils.resume import check_free
from .perception import ligand_molecule


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
