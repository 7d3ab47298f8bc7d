"""Chemical validity of predicted snapshots: PoseBusters' checks, and chirality."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rdkit
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem
from rdkit.Geometry import Point3D

from ..errors import InputError
from ..utils.optional import optional_import
from .coordinates import Array, checked

CONFIGURATION = "mol_fast"
"""PoseBusters' checks of a molecule by itself, but for the energy, which takes seconds a pose."""
CHIRALITY = "chirality kept"


def heavy_molecule(sdf: str | Path, atomic_numbers: ArrayLike) -> Chem.Mol:
    """The ligand's heavy atoms with their bond orders, in the order of its coordinates.

    Parameters
    ----------
    sdf : path
        Of a complex folder, a reference run or a reference set: atoms in the System's order.
    atomic_numbers : array (L,)
        The ligand's atoms in order (`Complex.ligand_atomic_numbers`); hydrogens on either side
        do not matter.

    Raises
    ------
    InputError
        Other atoms, or another order.
    """
    molecule = next(iter(Chem.SDMolSupplier(str(sdf), removeHs=False)), None)
    heavy = None if molecule is None else Chem.RemoveAllHs(molecule)
    wanted = [z for z in np.asarray(atomic_numbers).tolist() if z > 1]
    if heavy is None or [atom.GetAtomicNum() for atom in heavy.GetAtoms()] != wanted:
        raise InputError(
            f"{sdf}: not the ligand's atoms in their order; take the ligand.sdf that is beside its "
            "topology"
        )
    return heavy


def pose_checks(molecule: Chem.Mol, snapshots: ArrayLike) -> dict[str, NDArray[np.bool_]]:
    """Run every check on every snapshot.

    Parameters
    ----------
    molecule : Mol
        From `heavy_molecule`; its own conformer has the right handedness.
    snapshots : array (S, n, 3)
        Heavy atoms, Å.

    Returns
    -------
    dict
        (S,) bool by the name of the check: PoseBusters' (bond lengths and angles within 25 % of
        distance geometry's bounds, internal clashes, flat rings and double bonds, …) and
        'chirality kept'.
    """
    posebusters = optional_import("posebusters", extra="validate", purpose="checking poses")
    array = checked(snapshots, atoms=1)
    if array.shape[1] != molecule.GetNumAtoms():
        raise InputError(
            f"snapshots have {array.shape[1]} atoms, the molecule {molecule.GetNumAtoms()}"
        )
    _open_log()
    table = posebusters.PoseBusters(config=CONFIGURATION).bust([posed(molecule, x) for x in array])
    checks = {str(name): table[name].to_numpy(dtype=bool) for name in table.columns}
    checks[CHIRALITY] = _same_handedness(molecule, array)
    return checks


def _open_log() -> None:
    """Give RDKit's log handler an open stream.

    PoseBusters redirects it for its InChI check, which flushes the stream that it had before; where
    that was closed meanwhile, as a notebook or a test does, every molecule would fail the check.
    """
    handler: logging.StreamHandler[Any] = rdkit.log_handler
    try:
        handler.flush()
    except ValueError:
        handler.stream = sys.__stderr__


def pass_rates(checks: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Percentage of snapshots that pass each check, and under 'all' every one."""
    rates = {name: float(100 * passed.mean()) for name, passed in checks.items()}
    return {**rates, "all": float(100 * np.logical_and.reduce(list(checks.values())).mean())}


def posed(molecule: Chem.Mol, positions: Array) -> Chem.Mol:
    """Copy the molecule to positions (n, 3) in Å."""
    copy = Chem.Mol(molecule)
    conformer = copy.GetConformer()
    for atom, place in enumerate(positions):
        conformer.SetAtomPosition(atom, Point3D(*map(float, place)))
    return copy


def _same_handedness(molecule: Chem.Mol, array: Array) -> NDArray[np.bool_]:
    """Test whether every stereocentre of a snapshot has the handedness of the molecule."""
    own = np.array(molecule.GetConformer().GetPositions())[None]
    centres = _stereocentres(molecule)
    if not len(centres):
        return np.ones(len(array), dtype=bool)
    same = _volumes(array, centres) * np.sign(_volumes(own, centres)) > 0
    return np.logical_and.reduce(same, axis=1)


def _stereocentres(molecule: Chem.Mol) -> NDArray[np.int64]:
    """Centre and three of its neighbours, (C, 4), of every tetrahedral stereocentre."""
    copy = Chem.Mol(molecule)
    Chem.AssignStereochemistryFrom3D(copy)
    centres = []
    for atom in copy.GetAtoms():
        if atom.GetChiralTag() in (
            Chem.ChiralType.CHI_TETRAHEDRAL_CW,
            Chem.ChiralType.CHI_TETRAHEDRAL_CCW,
        ):
            neighbours = [other.GetIdx() for other in atom.GetNeighbors()][:3]
            centres.append([atom.GetIdx(), *neighbours])
    return np.array(centres, dtype=np.int64).reshape(-1, 4)


def _volumes(x: Array, centres: NDArray[np.int64]) -> Array:
    """Signed volumes (S, C) that the bonds of each centre span, Å³."""
    a, b, c = (x[:, centres[:, k]] - x[:, centres[:, 0]] for k in (1, 2, 3))
    return (np.cross(a, b) * c).sum(-1)
