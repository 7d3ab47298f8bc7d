"""Internal coordinates of a ligand and their gradients, from which a stiffness is assembled.

Every coordinate c has a gradient g_c with respect to the heavy atoms at the given pose; a spring of
stiffness k_c along it adds k_c g_c g_cᵀ to the Hessian (Wilson, Decius, Cross: Molecular
Vibrations, 1955, for the gradients).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.chemistry import LigandChemistry

Array = NDArray[np.float64]

CLASSES = (
    "bond",
    "angle",
    "plane",
    "torsion aromatic",
    "torsion double or amide",
    "torsion ring",
    "torsion sp3-sp3",
    "torsion sp3-sp2",
    "torsion sp2-sp2",
    "pair near",
    "pair far",
)
"""Kinds of internal coordinates of the ligand; one stiffness constant each."""
PAIR_NEAR, PAIR_FAR = 4.5, 8.0
"""Å; distances of the two classes of ligand pairs that are four or more bonds apart."""
SMALLEST_SINE = 0.15
"""Torsions about an angle nearer to 180° than this have no defined gradient and are left out."""


class InternalCoordinates(NamedTuple):
    """Internal coordinates of a ligand at one pose.

    Attributes
    ----------
    kind : (c,) int64
        Index into `CLASSES`.
    atoms : (c, 4) int64
        First end, two middle atoms, last end; a coordinate of fewer atoms repeats one.
    gradients : (c, 3n) float64
        Å/Å, or rad/Å for angles and torsions.
    weights : (c,) float64
        Share of the class constant: torsions about one bond share it.
    values : (c,) float64
        Length in Å, angle in rad, out-of-plane distance in Å.
    """

    kind: NDArray[np.int64]
    atoms: NDArray[np.int64]
    gradients: Array
    weights: Array
    values: Array


class _Row(NamedTuple):
    kind: int
    atoms: tuple[int, int, int, int]
    gradient: dict[int, Array]
    weight: float
    value: float


def internal_coordinates(
    chemistry: LigandChemistry, x: ArrayLike, reach: float = PAIR_FAR
) -> InternalCoordinates:
    """All internal coordinates of heavy atoms at x (n, 3) Å, with pairs up to `reach` Å."""
    positions = np.asarray(x, dtype=np.float64)
    neighbours = neighbour_lists(chemistry)
    rows = [
        *_bonds(chemistry, positions),
        *_angles(chemistry, neighbours, positions),
        *_planes(chemistry, neighbours, positions),
        *_torsions(chemistry, neighbours, positions),
    ]
    pairs, directions, lengths = _pairs(chemistry, positions, reach)
    gradients = np.zeros((len(rows) + len(pairs), len(positions), 3))
    for row, out in zip(rows, gradients):
        for atom, vector in row.gradient.items():
            out[atom] += vector
    number = np.arange(len(rows), len(gradients))
    gradients[number, pairs[:, 0]] = -directions
    gradients[number, pairs[:, 1]] = directions
    near, far = CLASSES.index("pair near"), CLASSES.index("pair far")
    kinds = np.array([row.kind for row in rows], dtype=np.int64)
    atoms = np.array([row.atoms for row in rows], dtype=np.int64).reshape(-1, 4)
    return InternalCoordinates(
        np.concatenate([kinds, np.where(lengths < PAIR_NEAR, near, far)]),
        np.concatenate([atoms, np.repeat(pairs, 2, axis=1)]),
        gradients.reshape(len(gradients), -1),
        np.concatenate([np.array([row.weight for row in rows]), np.ones(len(pairs))]),
        np.concatenate([np.array([row.value for row in rows]), lengths]),
    )


def neighbour_lists(chemistry: LigandChemistry) -> list[list[int]]:
    """Bonded heavy atoms of each heavy atom."""
    neighbours: list[list[int]] = [[] for _ in chemistry.atoms]
    for i, j in chemistry.bonds.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    return neighbours


def _hybridisation(chemistry: LigandChemistry, atom: int) -> int:
    """1, 2 or 3 for sp, sp2, sp3 and everything else."""
    columns = chemistry.features[atom, -8:-4]
    return min(int(np.argmax(columns)) + 1, 3)


def _bonds(chemistry: LigandChemistry, x: Array) -> list[_Row]:
    rows = []
    for i, j in chemistry.bonds.tolist():
        direction, length = _unit(x[j] - x[i])
        rows.append(_Row(0, (i, i, j, j), {i: -direction, j: direction}, 1.0, length))
    return rows


def _angles(chemistry: LigandChemistry, neighbours: list[list[int]], x: Array) -> list[_Row]:
    rows = []
    for j, around in enumerate(neighbours):
        for first, i in enumerate(around):
            for k in around[first + 1 :]:
                if _hybridisation(chemistry, j) == 1 and len(around) == 2:
                    rows.extend(_linear(x, i, j, k))
                    continue
                row = _angle(x, i, j, k)
                if row is not None:
                    rows.append(row)
    return rows


def _angle(x: Array, i: int, j: int, k: int) -> _Row | None:
    a, length_a = _unit(x[i] - x[j])
    b, length_b = _unit(x[k] - x[j])
    cosine = float(np.clip(a @ b, -1.0, 1.0))
    sine = np.sqrt(1.0 - cosine * cosine)
    if sine < SMALLEST_SINE:
        return None
    first = (cosine * a - b) / (length_a * sine)
    last = (cosine * b - a) / (length_b * sine)
    gradient = {i: first, k: last, j: -first - last}
    return _Row(1, (i, j, j, k), gradient, 1.0, float(np.arccos(cosine)))


def _linear(x: Array, i: int, j: int, k: int) -> list[_Row]:
    """The two bends of a linear group: j moves across the line from i to k."""
    axis, span = _unit(x[k] - x[i])
    share = float(np.clip((x[j] - x[i]) @ axis / span, 0.1, 0.9))
    across, _ = _unit(np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))]))
    rows = []
    for normal in (across, np.cross(axis, across)):
        step = normal / (share * (1.0 - share) * span)  # the bend in rad of j's displacement
        gradient = {j: step, i: -(1.0 - share) * step, k: -share * step}
        rows.append(_Row(1, (i, j, j, k), gradient, 1.0, np.pi))
    return rows


def _planes(chemistry: LigandChemistry, neighbours: list[list[int]], x: Array) -> list[_Row]:
    """Distance of a trigonal atom from the plane of its three heavy neighbours."""
    rows = []
    for centre, around in enumerate(neighbours):
        if len(around) != 3 or _hybridisation(chemistry, centre) != 2:
            continue
        p = x[around]
        normal, area = _unit(np.cross(p[1] - p[0], p[2] - p[0]))
        if area < 0.1:
            continue
        edges = np.roll(p, -1, axis=0) - x[centre]
        others = np.roll(p, -2, axis=0) - x[centre]
        shares = np.cross(edges, others) @ normal / area  # barycentric coordinates, their sum is 1
        gradient = {a: -share * normal for a, share in zip(around, shares)}
        gradient[centre] = normal
        height = float((x[centre] - p[0]) @ normal)
        ends = (around[0], centre, centre, around[1])
        rows.append(_Row(2, ends, gradient, 1.0, height))
    return rows


def _torsions(chemistry: LigandChemistry, neighbours: list[list[int]], x: Array) -> list[_Row]:
    rows: list[_Row] = []
    for bond, (j, k) in enumerate(chemistry.bonds.tolist()):
        if 1 in (_hybridisation(chemistry, j), _hybridisation(chemistry, k)):
            continue
        quadruples = [
            (i, j, k, m)
            for i in neighbours[j]
            for m in neighbours[k]
            if i != k and m != j and i != m
        ]
        kind = _torsion_class(chemistry, bond)
        for atoms in quadruples:
            gradient, angle = torsion_gradient(x[list(atoms)])
            if gradient is not None:
                parts = dict(zip(atoms, gradient))
                rows.append(_Row(kind, atoms, parts, 1.0 / len(quadruples), angle))
    return rows


def _torsion_class(chemistry: LigandChemistry, bond: int) -> int:
    single, double, triple, aromatic, ring, _, _ = chemistry.bond_features[bond]
    if aromatic:
        return 3
    if ring:
        return 5
    if double or triple or chemistry.amide[bond]:
        return 4
    trigonal = sum(_hybridisation(chemistry, a) == 2 for a in chemistry.bonds[bond].tolist())
    return 6 + trigonal if single else 4


def torsion_gradient(x: Array) -> tuple[Array | None, float]:
    """Gradient (4, 3) in rad/Å and angle in rad of the dihedral of four points (4, 3) Å.

    The gradient is None where three points are nearly collinear.
    """
    first, middle, last = np.diff(x, axis=0)
    normal, other = np.cross(first, middle), np.cross(middle, last)
    length = float(np.linalg.norm(middle))
    area, area_other = float(normal @ normal), float(other @ other)
    angle = float(np.arctan2(length * first @ other, normal @ other))
    sines = (
        area / (length * length * float(first @ first)),
        area_other / (length * length * float(last @ last)),
    )
    if min(sines) < SMALLEST_SINE**2:
        return None, angle
    start = -length / area * normal
    end = length / area_other * other
    p = float(first @ middle) / (length * length)
    q = float(last @ middle) / (length * length)
    second = -start * (1.0 + p) + end * q
    third = -end * (1.0 + q) + start * p
    return np.stack((start, second, third, end)), angle


def _pairs(
    chemistry: LigandChemistry, x: Array, reach: float
) -> tuple[NDArray[np.int64], Array, Array]:
    """Atoms (p, 2), unit vectors (p, 3) and distances (p,) of pairs four or more bonds apart."""
    pairs = np.argwhere(np.triu(chemistry.distances >= 4))
    apart = x[pairs[:, 1]] - x[pairs[:, 0]]
    lengths = np.linalg.norm(apart, axis=-1)
    near = lengths < reach
    pairs, apart, lengths = pairs[near], apart[near], lengths[near]
    return pairs, apart / np.maximum(lengths, 1e-9)[:, None], lengths


def _unit(v: Array) -> tuple[Array, float]:
    length = float(np.linalg.norm(v))
    return v / max(length, 1e-9), length
