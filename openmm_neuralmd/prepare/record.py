"""Record of a preparation: its inputs, parameters and settings, for complex.yaml."""

from __future__ import annotations

from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from ..utils.files import sha256
from .chemistry import RESIDUE, Ligand
from .forcefield import Parameters
from .programs import AmberTools
from .settings import PrepareSettings


def ligand_record(ligand: Ligand, source: Path) -> dict[str, Any]:
    """The ligand's part of the record."""
    return {
        "residue": RESIDUE,
        "molecule": ligand.name,
        "formula": ligand.formula,
        "smiles": ligand.smiles,
        "charge": ligand.charge,
        "atoms": ligand.molecule.GetNumAtoms(),
        "heavy_atoms": ligand.molecule.GetNumHeavyAtoms(),
        "added_hydrogens": ligand.added_hydrogens,
        "source": source.name,
        "sha256": sha256(source),
    }


def parameters_record(parameters: Parameters, charges: str, tools: AmberTools) -> dict[str, Any]:
    """The force field's part of the record."""
    return {
        "protein": parameters.protein,
        "water": parameters.water,
        "ligand": "GAFF2",
        "charges": charges,
        "tools": {"source": tools.source, "antechamber": tools.version(), **_versions()},
    }


def settings_record(settings: PrepareSettings) -> dict[str, Any]:
    """The settings' part of the record."""
    return {
        "ph": settings.ph,
        "nonstandard": settings.nonstandard,
        "relax_ps": settings.relax_ps,
        "engine": settings.engine,
    }


def _versions() -> dict[str, str]:
    """Versions of the installed packages, beside OpenMM, that decide chemistry and parameters."""
    versions = {}
    for package in ("pdbfixer", "rdkit", "acpype", "openmmforcefields"):
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions
