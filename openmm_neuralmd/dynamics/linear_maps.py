"""Linear maps of a ligand's coordinates as native OpenMM forces.

A quadratic energy −½ xᵀ M x has the force M x, so OpenMM multiplies the positions by any symmetric
matrix, on every platform.  A general matrix is a product of three symmetric ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openmm
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import schur

Array = NDArray[np.float64]

_PAIR = "-(x1*(xx*x2+xy*y2+xz*z2)+y1*(yx*x2+yy*y2+yz*z2)+z1*(zx*x2+zy*y2+zz*z2))"
_OWN = "-(0.5*(xx*x^2+yy*y^2+zz*z^2)+xy*x*y+xz*x*z+yz*y*z)"


def symmetric_factors(matrix: ArrayLike) -> tuple[Array, Array, Array]:
    """Write a matrix (m, m) as a product A B C of symmetric ones.

    A is the symmetric part of the polar decomposition; the orthogonal part is a product of two
    reflections, plane by plane of its real Schur form.
    """
    left, values, right = np.linalg.svd(np.asarray(matrix, dtype=np.float64))
    form, basis = schur(left @ right, output="real")
    flip = np.ones(len(form))
    rotations = np.flatnonzero(np.abs(np.diagonal(form, -1)) > 1e-8)
    flip[rotations + 1] = -1.0
    first = basis @ (form * flip) @ basis.T
    second = (basis * flip) @ basis.T
    return (left * values) @ left.T, 0.5 * (first + first.T), 0.5 * (second + second.T)


def map_forces(particles: Sequence[int], matrix: ArrayLike, group: int) -> list[openmm.Force]:
    """Forces of a group that add up to a symmetric matrix times the positions of particles.

    Parameters
    ----------
    particles : sequence of int, (n,)
    matrix : (3n, 3n)
        Symmetric, kJ/mol/nm² in OpenMM's words: positions in nm become forces in the same number.
    group : int
        Force group of its own.
    """
    blocks = np.asarray(matrix, dtype=np.float64).reshape(len(particles), 3, len(particles), 3)
    pairs = openmm.CustomCompoundBondForce(2, _PAIR)
    own = openmm.CustomExternalForce(_OWN)
    names = [a + b for a in "xyz" for b in "xyz"]
    upper = [name for name in names if name[0] <= name[1]]
    for name in names:
        pairs.addPerBondParameter(name)
    for name in upper:
        own.addPerParticleParameter(name)
    for i, first in enumerate(particles):
        block = dict(zip(names, blocks[i, :, i].ravel().tolist()))
        own.addParticle(int(first), [block[name] for name in upper])
        for j in range(i + 1, len(particles)):
            both = [int(first), int(particles[j])]
            pairs.addBond(both, blocks[i, :, j].ravel().tolist())
    for force in (pairs, own):
        force.setForceGroup(group)
    return [pairs, own]
