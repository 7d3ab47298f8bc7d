"""Storage of predictions until all ligands are done: arrays and JSON, no pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..bindingnet.chemistry import ligand_chemistry
from ..prepare.chemistry import Ligand
from ..structure.complex import Complex
from ..units import to_angstrom
from ..utils.files import complete, read_arrays
from .ensemble import Contact, LigandPrediction, Torsion
from .pocket import PocketPrediction

ARRAYS = ("snapshots", "rmsf", "rmsf_low", "rmsf_high", "displacement")
POCKET_ARRAYS = (
    "atoms", "start", "snapshots", "rmsf", "rmsf_low", "rmsf_high", "displacement",
)  # fmt: skip
NUMBERS = ("interval_ps", "displacement_uncertainty", "stays", "stays_low", "stays_high")


def store(one: LigandPrediction, path: Path) -> None:
    """Write all of a prediction but its structures, which `restore` is given."""
    text = {
        "numbers": {name: float(getattr(one, name)) for name in NUMBERS},
        "torsions": [asdict(torsion) for torsion in one.torsions],
        "contacts": [asdict(contact) for contact in one.contacts],
        "unlike": list(one.unlike),
    }
    with complete(path) as temporary, temporary.open("wb") as file:
        arrays: dict[str, Any] = {name: getattr(one, name) for name in ARRAYS}
        arrays |= _pocket_arrays(one.pocket)
        np.savez(file, text=np.array(json.dumps(text)), **arrays)


def _pocket_arrays(pocket: PocketPrediction | None) -> dict[str, np.ndarray]:
    """Arrays of the pocket; empty ones where it stands still."""
    nothing = np.zeros(0)
    return {
        f"pocket_{name}": nothing if pocket is None else getattr(pocket, name)
        for name in POCKET_ARRAYS
    }


def _pocket(content: Mapping[str, np.ndarray], complex: Complex) -> PocketPrediction | None:
    parts = {name: content[f"pocket_{name}"] for name in POCKET_ARRAYS}
    return PocketPrediction.of(complex, **parts) if len(parts["atoms"]) else None


def restore(path: Path, complex: Complex, ligand: Ligand) -> LigandPrediction:
    """Read a prediction of this ligand.

    Raises
    ------
    InputError
        The file is damaged.
    """
    pocket = [f"pocket_{name}" for name in POCKET_ARRAYS]
    content = read_arrays(path, (*ARRAYS, *pocket, "text"))
    text = json.loads(str(content["text"]))
    atoms = ligand_chemistry(ligand.molecule).atoms
    names = ligand.atom_names
    arrays: dict[str, Any] = {name: content[name] for name in ARRAYS}
    return LigandPrediction(
        name=ligand.name,
        smiles=ligand.smiles,
        complex=complex,
        molecule=ligand.molecule,
        atom_names=tuple(names[i] for i in atoms.tolist()),
        pose=to_angstrom(ligand.positions)[atoms],
        torsions=tuple(
            Torsion(tuple(one["atoms"]), tuple(one["wells"])) for one in text["torsions"]
        ),
        contacts=tuple(Contact(**one) for one in text["contacts"]),
        pocket=_pocket(content, complex),
        unlike=tuple(text["unlike"]),
        **text["numbers"],
        **arrays,
    )
