"""Partial charges of a ligand, from the most careful method to the fastest.

Against AM1-BCC with optimised geometry, on drug-like molecules: `am1bcc-sp` 0.015–0.05 e RMS,
`mmff94` 0.11 e, `gasteiger` 0.22 e (docs/prepare.md).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers, rdPartialCharges

from ..errors import InputError, ProgramError
from .chemistry import Ligand, write_sdf
from .programs import AmberTools

_SQM = "qm_theory='AM1', scfconv=1.d-10, ndiis_attempts=700, grms_tol=0.0005, maxcyc={cycles},"
_CYCLES = 9999
_STAY = 0.3  # Å, how far MMFF94 may take a heavy atom from its pose
_SDF_CHARGE = "PartialCharge"  # RDKit's name for what OpenFE writes as atom.dprop.PartialCharge
_ROUNDING = 0.02  # e, what printed charges may miss in their sum

Method = Callable[[Ligand, AmberTools], np.ndarray]


def assign_charges(ligand: Ligand, method: str, tools: AmberTools) -> np.ndarray:
    """Charges (L,) in e, which add up to the formal charge.

    Raises
    ------
    InputError
        No such method, or it knows no charges for this molecule.
    ProgramError
        antechamber or sqm failed.
    """
    if method not in METHODS:
        raise InputError(f"unknown charge method {method!r}; known: {', '.join(METHODS)}")
    charges = METHODS[method](ligand, tools)
    excess = charges.sum() - ligand.charge
    if not np.isfinite(charges).all() or abs(excess) > _ROUNDING:
        raise InputError(
            f"{method} gives ligand {ligand.name!r} charges that add up to {charges.sum():.3f}, "
            f"not {ligand.charge}; choose another method with --charges"
        )
    return charges - excess / len(charges)


def default_method(tools: AmberTools) -> str:
    """Choose `am1bcc-sp` if sqm is installed, else `mmff94`."""
    return "am1bcc-sp" if tools.has("sqm") else "mmff94"


def _am1bcc(ligand: Ligand, tools: AmberTools) -> np.ndarray:
    return _bcc(ligand, tools, _CYCLES)


def _am1bcc_sp(ligand: Ligand, tools: AmberTools) -> np.ndarray:
    """AM1-BCC of a single point, on the pose with MMFF94's bond lengths and angles."""
    return _bcc(Ligand(_mmff_geometry(ligand.molecule), ligand.name), tools, 0)


def _mmff94(ligand: Ligand, tools: AmberTools) -> np.ndarray:
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(ligand.molecule)
    if properties is None:
        raise InputError(
            f"MMFF94 does not know all atoms of {ligand.name!r}; use another --charges"
        )
    count = ligand.molecule.GetNumAtoms()
    return np.array([properties.GetMMFFPartialCharge(i) for i in range(count)])


def _gasteiger(ligand: Ligand, tools: AmberTools) -> np.ndarray:
    molecule = Chem.Mol(ligand.molecule)
    rdPartialCharges.ComputeGasteigerCharges(molecule)
    return np.array([atom.GetDoubleProp("_GasteigerCharge") for atom in molecule.GetAtoms()])


def _from_sdf(ligand: Ligand, tools: AmberTools) -> np.ndarray:
    """Charges that the SDF carries: property `atom.dprop.PartialCharge`, OpenFE's convention."""
    atoms = list(ligand.molecule.GetAtoms())
    bare = [atom.GetIdx() + 1 for atom in atoms if not atom.HasProp(_SDF_CHARGE)]
    if bare:
        raise InputError(
            f"the SDF of ligand {ligand.name!r} has no partial charge for atom {bare[0]} "
            f"({len(bare)} of {len(atoms)} atoms lack one): it needs the property "
            f"atom.dprop.{_SDF_CHARGE} with one number per atom, hydrogens included; "
            "use another --charges"
        )
    return np.array([atom.GetDoubleProp(_SDF_CHARGE) for atom in atoms])


METHODS: dict[str, Method] = {
    "am1bcc": _am1bcc,
    "am1bcc-sp": _am1bcc_sp,
    "mmff94": _mmff94,
    "gasteiger": _gasteiger,
    "sdf": _from_sdf,
}


def _bcc(ligand: Ligand, tools: AmberTools, cycles: int) -> np.ndarray:
    with TemporaryDirectory(prefix="neuralmd-charges-") as name:
        folder = Path(name)
        write_sdf(ligand, folder / "ligand.sdf")
        options = "-fi sdf -fo mol2 -at gaff2 -c bcc -pf y -dr no".split()
        try:
            tools.run(
                "antechamber",
                *("-i", "ligand.sdf", "-o", "charged.mol2", "-nc", str(ligand.charge)),
                *("-ek", _SQM.format(cycles=cycles)),
                *options,
                folder=folder,
            )
            return read_mol2_charges(folder / "charged.mol2", ligand.elements)
        except (ProgramError, OSError) as error:
            raise ProgramError(
                f"AM1-BCC charges of ligand {ligand.name!r}: {error}; "
                "check pose and formal charge, or use --charges mmff94"
            ) from error


def read_mol2_charges(path: Path, elements: list[str]) -> np.ndarray:
    """Charges (L,) of the atoms of a mol2 file, which must be in the given order.

    Raises
    ------
    ProgramError
        The file lacks atoms, or has them in another order.
    """
    block = path.read_text().split("@<TRIPOS>ATOM")[1].split("@<TRIPOS>")[0]
    rows = [line.split() for line in block.splitlines() if line.strip()]
    letters = [row[1].rstrip("0123456789").capitalize() for row in rows]
    if letters != elements:
        raise ProgramError(f"antechamber wrote {path.name} with other atoms than it was given")
    return np.array([float(row[8]) for row in rows])


def _mmff_geometry(molecule: Chem.Mol) -> Chem.Mol:
    """Relax bonds, angles and hydrogens of the pose; unchanged if MMFF94 has no parameters."""
    relaxed = Chem.Mol(molecule)
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(relaxed)
    if properties is None:
        return relaxed
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(relaxed, properties)
    field.Initialize()
    for atom in relaxed.GetAtoms():
        if atom.GetAtomicNum() > 1:
            field.MMFFAddPositionConstraint(atom.GetIdx(), _STAY, 100.0)
    field.Minimize(maxIts=2000)
    return relaxed
