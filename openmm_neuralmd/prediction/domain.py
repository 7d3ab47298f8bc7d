"""Whether a complex is like those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from openmm.app import Element
from scipy.spatial import cKDTree

from ..bindingnet.chemistry import LigandChemistry
from ..bindingnet.pocket import PocketAtoms
from ..model import ModelCard
from ..structure.residues import RESIDUE_TYPES

NEAR = 4.5
"""Å; distance of a contact."""
NAMES = {
    "heavy_atoms": "heavy atoms",
    "rotatable_bonds": "rotatable bonds",
    "contacts_per_atom": "contacts per atom within 4.5 Å",
    "nearest_contact": "Å to the nearest atom of the pocket",
}


def descriptors(
    chemistry: LigandChemistry, pose: ArrayLike, pocket: PocketAtoms
) -> dict[str, float]:
    """Numbers that place a complex among others, by the names of `NAMES`.

    Parameters
    ----------
    chemistry : LigandChemistry
    pose : (n, 3)
        Heavy atoms, Å.
    pocket : PocketAtoms
    """
    tree = cKDTree(pocket.positions)
    counts = tree.query_ball_point(np.asarray(pose), NEAR, return_length=True)
    return {
        "heavy_atoms": float(len(chemistry.atoms)),
        "rotatable_bonds": float(chemistry.bond_features[:, -1].sum()),
        "contacts_per_atom": float(np.mean(counts)),
        "nearest_contact": float(tree.query(np.asarray(pose))[0].min()),
    }


def ranges(every: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Least and greatest value of each descriptor, for a model's card."""
    return {
        name: [min(one[name] for one in every), max(one[name] for one in every)] for name in NAMES
    }


def unlike(
    card: ModelCard,
    atomic_numbers: ArrayLike,
    residues: Sequence[str],
    found: Mapping[str, float],
) -> list[str]:
    """Why a complex is unlike the training set, one sentence each; empty where it is alike.

    Parameters
    ----------
    card : ModelCard
        `training['ranges']` has the ranges of the descriptors, see `ranges`.
    atomic_numbers : (n,)
        Of the ligand's heavy atoms.
    residues : sequence of str
        Names of the amino acids of the pocket.
    found : mapping
        Descriptors of the complex.
    """
    reasons = []
    new = sorted(set(np.asarray(atomic_numbers).tolist()) - set(card.elements))
    if new:
        symbols = ", ".join(Element.getByAtomicNumber(int(z)).symbol for z in new)
        reasons.append(f"The training set has no ligand with {symbols}.")
    known = {RESIDUE_TYPES[k] for k in card.residue_types if k < len(RESIDUE_TYPES)}
    strange = sorted(set(residues) - known) if known else []
    if strange:
        reasons.append(f"No pocket of the training set has {', '.join(strange)}.")
    for name, (low, high) in card.training.get("ranges", {}).items():
        value = found[name]
        if not low <= value <= high:
            reasons.append(
                f"{value:.3g} {NAMES[name]}; the training set has {low:.3g} to {high:.3g}."
            )
    return reasons
