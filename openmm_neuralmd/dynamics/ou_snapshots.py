"""Valid snapshots of a molecule from displacements of a Gaussian.

A Gaussian in Cartesian coordinates tears rings when a torsion swings by 60°.  Here a displacement d
is read as curvilinear coordinates: rigid-body motion and torsions q = J⁺ d become finite rotations;
what remains is filtered by the stiffness of real bonds, angles and planes; distances inside rigid
parts are then brought back to those of the given pose within a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.chemistry import LigandChemistry
from .distance_repair import repaired
from .internal_coordinates import internal_coordinates
from .rigid_torsion import RotatableBonds, displace, jacobian, reached, rotatable_bonds

Array = NDArray[np.float64]

REAL_STIFFNESS = (1000.0, 250.0, 400.0, 100.0, 60.0, 40.0)
"""kT/Å² or kT/rad² of bonds, angles, planes; torsions aromatic, double or amide, and ring."""
TOLERANCES = {1: 0.02, 2: 0.02, 3: 0.03}
"""Relative tolerance of distances in a rigid part by bonds between the atoms; more bonds: 0.03."""


@dataclass(frozen=True, eq=False)
class SnapshotMaker:
    """Turns displacements about a given pose into valid snapshots.

    Attributes
    ----------
    pose : (n, 3)
        Given pose, Å.
    rotatable : RotatableBonds
    project : (3n, 6 + r)
        Displacements times this give rigid-body and torsion coordinates.
    rest : (3n, 3n)
        Displacements times this give the part that neither of them explains, filtered.
    pairs : (c, 2) int64
        Atoms whose distance is near.
    lengths, tolerances : (c,)
        Å, and relative.
    """

    pose: Array
    rotatable: RotatableBonds
    project: Array
    rest: Array
    pairs: NDArray[np.int64]
    lengths: Array
    tolerances: Array

    def __call__(self, displacements: ArrayLike, hops: ArrayLike | None = None) -> Array:
        """Snapshots (S, n, 3) in Å, repaired.  See `moved` for the parameters."""
        return self.repair(self.moved(displacements, hops))

    def moved(self, displacements: ArrayLike, hops: ArrayLike | None = None) -> Array:
        """Snapshots (S, n, 3) in Å, whose distances in rigid parts are not repaired yet.

        Parameters
        ----------
        displacements : (S, 3n)
            From the given pose, Å.
        hops : (S, r) or None
            Angles in rad that are added to the torsions: other wells.
        """
        d = np.asarray(displacements, dtype=np.float64)
        q = d @ self.project
        q[:, 6:] = np.clip(q[:, 6:], -np.pi, np.pi)
        if hops is not None:
            q[:, 6:] += np.asarray(hops)
        rest = (d @ self.rest).reshape(len(d), -1, 3)
        return displace(self.pose, self.rotatable, q, rest)

    def repair(self, x: Array) -> Array:
        """Bring the distances inside rigid parts within their tolerance (position based)."""
        return repaired(x, self.pairs, self.lengths, self.tolerances)


def snapshot_maker(
    chemistry: LigandChemistry, pose: ArrayLike, stiffness: ArrayLike
) -> SnapshotMaker:
    """Maker of snapshots of a ligand about a pose (n, 3) in Å, for a stiffness H (3n, 3n)."""
    x = np.asarray(pose, dtype=np.float64)
    rotatable = rotatable_bonds(chemistry)
    columns = jacobian(x, rotatable)
    hessian = np.asarray(stiffness, dtype=np.float64)
    # Least squares with a little regularisation: terminal torsions may be nearly collinear.
    normal = columns.T @ columns
    ridge = normal + 1e-6 * np.diag(np.diag(normal))
    inverse = np.asarray(np.linalg.solve(ridge, columns.T), dtype=np.float64)
    remainder = np.eye(len(hessian)) - columns @ inverse
    inner = internal_coordinates(chemistry, x, reach=0.0)  # pairs are not stiff
    real = np.zeros(12)
    real[: len(REAL_STIFFNESS)] = REAL_STIFFNESS
    k = real[inner.kind] * inner.weights
    stiff = inner.gradients.T @ (k[:, None] * inner.gradients)
    rest = np.asarray(np.linalg.solve(hessian + stiff, hessian) @ remainder, dtype=np.float64)
    pairs, tolerances = _kept_pairs(chemistry, rotatable)
    lengths = np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=-1)
    flexible = np.asarray(inverse.T, dtype=np.float64)
    return SnapshotMaker(x, rotatable, flexible, rest.T, pairs, lengths, tolerances)


def _kept_pairs(
    chemistry: LigandChemistry, rotatable: RotatableBonds
) -> tuple[NDArray[np.int64], Array]:
    """Bonds, angles, and all distances inside a rigid part, with their tolerance."""
    n = len(chemistry.atoms)
    graph = np.zeros((n, n), dtype=bool)
    for i, j in chemistry.bonds.tolist():
        graph[i, j] = graph[j, i] = True
    for i, j in rotatable.bonds.tolist():
        graph[i, j] = graph[j, i] = False
    together = np.stack([reached(graph, k) for k in range(n)])
    distance = chemistry.distances
    near = np.triu((together & (distance <= 4)) | (distance <= 2), 1)
    pairs = np.argwhere(near)
    steps = distance[pairs[:, 0], pairs[:, 1]]
    return pairs, np.array([TOLERANCES.get(int(step), 0.03) for step in steps])
