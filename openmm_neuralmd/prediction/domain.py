"""Comparison of a complex with the training set of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike
from openmm.app import Element

from ..model import ModelCard
from ..structure.residues import RESIDUE_TYPES
from ..training.ou_domain import NAMES


def unlike(
    card: ModelCard,
    atomic_numbers: ArrayLike,
    residues: Sequence[str],
    found: Mapping[str, float],
) -> list[str]:
    """Give the reasons why a complex is unlike the training set; empty where it is alike.

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
