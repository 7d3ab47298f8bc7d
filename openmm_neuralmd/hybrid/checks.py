"""Checks of a pose after a jump: one small function each, in one dict by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rdkit import Chem

from ..errors import InputError
from ..prepare.soundness import check_chirality, clash_message, clashes
from ..structure.complex import Complex
from ..structure.parts import nearest_alpha
from .settings import JumpSettings

STRETCH = 0.25
"""Share of its length by which a bond may differ from what it was; PoseBusters' limit."""
STILL = 1e-5
"""nm; an atom that has moved by less was fixed: positions from a Context are rounded."""


@dataclass(frozen=True, eq=False)
class Pose:
    """A pose before and after a jump; positions (N, 3) in nm.

    Attributes
    ----------
    complex : Complex
    ligand : Mol
        The ligand's chemistry, atoms in its order.
    before, after : (N, 3) float64
    energy : float
        Of the minimised pose after the jump less that before, kJ/mol.
    box : (3, 3) float64, nm, or None
    """

    complex: Complex
    ligand: Chem.Mol
    before: np.ndarray
    after: np.ndarray
    energy: float
    box: np.ndarray | None


def _finite(pose: Pose, limits: JumpSettings) -> str:
    lost = np.flatnonzero(~np.isfinite(pose.after).all(axis=1))
    return f"position of particle {lost[0]} is not a number" if len(lost) else ""


def _energy(pose: Pose, limits: JumpSettings) -> str:
    if pose.energy <= limits.energy_window:
        return ""
    return f"{pose.energy:.0f} kJ/mol above the pose before (limit {limits.energy_window:g})"


def _pocket(pose: Pose, limits: JumpSettings) -> str:
    distance, _ = nearest_alpha(pose.complex, pose.after, pose.box)
    if distance <= limits.pocket_limit:
        return ""
    return f"{distance:.2f} nm from any CA (limit {limits.pocket_limit:g})"


def _bonds(pose: Pose, limits: JumpSettings) -> str:
    i, j = pose.complex.ligand[pose.complex.ligand_bonds].T
    before, after = (np.linalg.norm(x[i] - x[j], axis=1) for x in (pose.before, pose.after))
    worst = int(np.abs(after / before - 1.0).argmax())
    if abs(after[worst] / before[worst] - 1.0) <= STRETCH:
        return ""
    return (
        f"bond of particles {i[worst]} and {j[worst]}: {before[worst]:.3f} to {after[worst]:.3f} nm"
    )


def _clash(pose: Pose, limits: JumpSettings) -> str:
    """Refuse new clashes; those between atoms that did not move are not the jump's."""
    moved = np.abs(pose.after - pose.before).max(axis=1) > STILL
    own = [(i, j) for i, j in clashes(pose.complex.topology, pose.after) if moved[i] or moved[j]]
    if not own:
        return ""
    return clash_message(pose.complex.topology, pose.after, own).split(";")[0]


def _chirality(pose: Pose, limits: JumpSettings) -> str:
    topology, own = pose.complex.topology, pose.complex.ligand
    try:
        check_chirality(topology, pose.before, pose.after, pose.ligand, own)
    except InputError as error:
        return str(error).split(";")[0]
    return ""


CHECKS: dict[str, Callable[[Pose, JumpSettings], str]] = {
    "not a number": _finite,
    "energy": _energy,
    "pocket": _pocket,
    "bonds": _bonds,
    "clash": _clash,
    "chirality": _chirality,
}
"""By name, in the order in which they are made; each tells what is wrong, or ''."""


def fault(pose: Pose, limits: JumpSettings) -> tuple[str, str] | None:
    """Name and message of the first check that a pose fails; None for a sound pose."""
    for name, check in CHECKS.items():
        message = check(pose, limits)
        if message:
            return name, message
    return None
