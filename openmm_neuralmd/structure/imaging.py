"""Periodic images and superposition of snapshots: geometry only, numpy only."""

from __future__ import annotations

from collections import deque

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import minimum_spanning_tree

_IMAGE_COST = 0.6  # nm; see spanning_tree


def minimum_image(vectors: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """Shift displacement vectors (..., 3) by whole box vectors to near zero.

    Exact when the true shortest image is shorter than half the smallest box width, which is all
    this package asks of it.  `box` is (3, 3) with box vectors as rows, or (T, 3, 3) for vectors
    (T, ..., 3); None means not periodic.
    """
    if box is None:
        return vectors
    return vectors - image_shift(vectors, box)


def image_shift(vectors: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The whole number of box vectors that `minimum_image` takes off, as a length."""
    inverse = np.linalg.inv(box)
    if box.ndim == 2:
        return np.round(vectors @ inverse) @ box
    fraction = np.einsum("t...i,tij->t...j", vectors, inverse)
    return np.einsum("t...i,tij->t...j", np.round(fraction), box)


def spanning_tree(points: np.ndarray, box: np.ndarray | None) -> np.ndarray:
    """Edges (M - 1, 2) of the shortest tree over M points, each edge after its parent's.

    Along such a tree every edge is short (a bond, a peptide link, a contact), so the nearest
    image of each edge makes a whole out of molecules that a periodic box has cut, chains and
    ligand beside each other included.  An edge across the boundary costs 0.6 nm extra, so a
    structure that is whole as it stands, such as a crystal's asymmetric unit, stays as it is.

    Parameters
    ----------
    points : (M, 3) float64, nm
    box : (3, 3) float64 nm, optional

    Returns
    -------
    (M - 1, 2) int64
        Pairs (parent, child) in breadth-first order from point 0.
    """
    difference = points[:, None] - points[None]
    cost = np.linalg.norm(difference, axis=-1)
    if box is not None:
        across = np.linalg.norm(minimum_image(difference, box), axis=-1) + _IMAGE_COST
        cost = np.minimum(cost, across)
    cost = np.maximum(cost, 1e-9)  # scipy reads a zero as 'no edge'
    tree = minimum_spanning_tree(csr_matrix(np.triu(cost, 1)))
    return _breadth_first(tree + tree.T)


def _breadth_first(tree: csr_matrix) -> np.ndarray:
    tree = csr_matrix(tree)
    edges, seen, queue = [], {0}, deque([0])
    while queue:
        parent = queue.popleft()
        for child in tree.indices[tree.indptr[parent] : tree.indptr[parent + 1]]:
            if int(child) not in seen:
                seen.add(int(child))
                queue.append(int(child))
                edges.append((parent, int(child)))
    return np.array(edges, dtype=np.int64).reshape(-1, 2)


def make_whole(snapshots: np.ndarray, tree: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Snapshots (T, M, 3) with every edge of `tree` at its nearest image; point 0 stays.

    `box` is (3, 3) or one box per snapshot (T, 3, 3), in the unit of the coordinates.
    """
    shift = image_shift(snapshots[:, tree[:, 1]] - snapshots[:, tree[:, 0]], box)
    total = np.zeros_like(snapshots)
    for edge, (parent, child) in enumerate(tree):
        total[:, child] = total[:, parent] + shift[:, edge]
    return snapshots - total


def superpose(moving: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and translation that lay `moving` on `reference` with the least squared distance.

    Kabsch (1976), unweighted, reflections excluded.

    Parameters
    ----------
    moving : (T, R, 3) float64
    reference : (R, 3) float64

    Returns
    -------
    rotation : (T, 3, 3), translation : (T, 3)
        Apply as ``x @ rotation[t] + translation[t]`` to row vectors x.
    """
    centre, target = moving.mean(axis=1), reference.mean(axis=0)
    covariance = np.einsum("tri,rj->tij", moving - centre[:, None], reference - target)
    u, _, vt = np.linalg.svd(covariance)
    handedness = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= handedness[:, None]
    rotation = u @ vt
    return rotation, target - np.einsum("ti,tij->tj", centre, rotation)
