"""Rigid-body and torsion coordinates of a ligand: their linear map and finite rotations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.chemistry import LigandChemistry

Array = NDArray[np.float64]


class RotatableBonds(NamedTuple):
    """Bonds that can turn, ordered outwards from the largest rigid part.

    Attributes
    ----------
    bonds : (r, 2) int64
        Inner atom, outer atom.
    moving : (r, n) bool
        Atoms that turn with the outer atom.
    quadruples : (r, 4) int64
        Atoms of a torsion about each bond, for its angle.
    rows : (r,) int64
        Row of the bond in `LigandChemistry.bonds`.
    """

    bonds: NDArray[np.int64]
    moving: NDArray[np.bool_]
    quadruples: NDArray[np.int64]
    rows: NDArray[np.int64]

    def turning(self) -> NDArray[np.int64]:
        """Heavy atoms (r,) on the smaller side of each bond, its own atom not counted."""
        moved = self.moving.sum(axis=1)
        return np.minimum(moved, self.moving.shape[1] - moved) - 1


def rotatable_bonds(chemistry: LigandChemistry, amides: bool = False) -> RotatableBonds:
    """Rotatable bonds of a ligand.

    Parameters
    ----------
    chemistry : LigandChemistry
    amides : bool
        Amides do not turn on the time scale of a prediction; True counts them too.
    """
    n = len(chemistry.atoms)
    graph = np.zeros((n, n), dtype=bool)
    for i, j in chemistry.bonds.tolist():
        graph[i, j] = graph[j, i] = True
    turn = chemistry.bond_features[:, -1] > 0
    if not amides:
        turn &= ~chemistry.amide
    # A part of a molecule may have a bond that turns, but nothing on one of its sides.
    turn &= (graph.sum(axis=1)[chemistry.bonds] > 1).all(axis=1)
    rows = np.flatnonzero(turn)
    cut = graph.copy()
    for i, j in chemistry.bonds[rows].tolist():
        cut[i, j] = cut[j, i] = False
    sizes = [reached(cut, k).sum() for k in range(n)]
    root = reached(cut, int(np.argmax(sizes)))
    rotors = []
    for row in rows.tolist():
        i, j = chemistry.bonds[row].tolist()
        without = graph.copy()
        without[i, j] = without[j, i] = False
        beyond = reached(without, j)
        if (beyond & root).any():  # j is on the inner side
            i, j, beyond = j, i, ~beyond
        ends = [int(np.flatnonzero(graph[a] & (np.arange(n) != b))[0]) for a, b in ((i, j), (j, i))]
        rotors.append((int(beyond.sum()), i, j, beyond, (ends[0], i, j, ends[1]), row))
    rotors.sort(key=lambda one: -one[0])  # a bond further in moves more atoms
    return RotatableBonds(
        np.array([one[1:3] for one in rotors], dtype=np.int64).reshape(-1, 2),
        np.array([one[3] for one in rotors], dtype=bool).reshape(-1, n),
        np.array([one[4] for one in rotors], dtype=np.int64).reshape(-1, 4),
        np.array([one[5] for one in rotors], dtype=np.int64),
    )


def reached(graph: NDArray[np.bool_], start: int) -> NDArray[np.bool_]:
    """Atoms connected to `start`."""
    seen = np.zeros(len(graph), dtype=bool)
    seen[start] = True
    while True:
        more = seen | graph[seen].any(axis=0)
        if (more == seen).all():
            return seen
        seen = more


def jacobian(x: ArrayLike, rotatable: RotatableBonds) -> Array:
    """Columns (3n, 6 + r): translations (Å), rotations about the centroid and torsions (rad)."""
    positions = np.asarray(x, dtype=np.float64)
    n = len(positions)
    columns = np.zeros((n, 3, 6 + len(rotatable.bonds)))
    columns[:, :, :3] = np.eye(3)
    centred = positions - positions.mean(axis=0)
    for axis in range(3):
        columns[:, :, 3 + axis] = np.cross(np.eye(3)[axis], centred)
    for k, ((i, j), moving) in enumerate(zip(rotatable.bonds, rotatable.moving)):
        axis = positions[j] - positions[i]
        axis = axis / np.linalg.norm(axis)
        columns[moving, :, 6 + k] = np.cross(axis, positions[moving] - positions[j])
    return columns.reshape(3 * n, -1)


def rotations(axis: Array, angle: Array) -> Array:
    """Matrices (S, 3, 3) that rotate rows v as v @ matrix, by angles (S,) in rad (Rodrigues).

    The axes (S, 3) are unit vectors.
    """
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack((zero, z, -y, -z, zero, x, y, -x, zero), axis=-1).reshape(-1, 3, 3)
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = axis[:, :, None] * axis[:, None]
    matrices: Array = np.eye(3) * cosine + cross * sine + along * (1.0 - cosine)
    return matrices


def displace(
    x: ArrayLike, rotatable: RotatableBonds, q: ArrayLike, rest: ArrayLike | None = None
) -> Array:
    """Finite torsions, then a finite rotation and translation of the whole ligand.

    Parameters
    ----------
    x : (n, 3), Å
    rotatable : RotatableBonds
    q : (S, 6 + r)
        In the order of `jacobian`; to first order the result is x + J q.
    rest : (S, n, 3) or None
        Further displacements in the frame of x; they turn with the part that each atom is in.

    Returns
    -------
    (S, n, 3), Å
    """
    start, amounts = np.asarray(x, dtype=np.float64), np.asarray(q, dtype=np.float64)
    centre = start.mean(axis=0)
    out = np.repeat(start[None], len(amounts), axis=0)
    extra = np.zeros_like(out) if rest is None else np.array(rest, dtype=np.float64)
    # J's torsions move one side only, so the other side keeps its place, as it does here.
    for k, ((i, j), moving) in enumerate(zip(rotatable.bonds, rotatable.moving)):
        axis = out[:, j] - out[:, i]
        axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
        pivot = out[:, j][:, None]
        rotation = rotations(axis, amounts[:, 6 + k])
        out[:, moving] = pivot + (out[:, moving] - pivot) @ rotation
        extra[:, moving] = extra[:, moving] @ rotation
    angle = np.linalg.norm(amounts[:, 3:6], axis=-1)
    axis = amounts[:, 3:6] / np.maximum(angle, 1e-12)[:, None]
    turned = (out - centre + extra) @ rotations(axis, angle)
    return turned + centre + amounts[:, None, :3]
