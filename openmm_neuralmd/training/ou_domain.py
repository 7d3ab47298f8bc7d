"""Domain of a model: ranges of its training complexes, which the model's card stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from ..bindingnet.chemistry import LigandChemistry
from ..bindingnet.pocket import PocketAtoms

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
