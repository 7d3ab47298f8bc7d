"""Whole molecules beside each other, from a trajectory that a periodic box has cut.

`complexes.whole_molecules` moves amino acids and the ligand, which is all a network looks at.  An
entry of MISATO holds every atom but the solvent, caps and cofactors too, so here bonds decide.
MDTraj's `image_molecules` is no help: it finds no anchor in a protein of one chain.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.spatial import cKDTree

from ..structure.complex import Complex


def bond_tree(complex: Complex, atoms: np.ndarray) -> np.ndarray:
    """Edges (M - 1, 2) over `atoms`, particle indices, a parent before its children.

    Within a molecule edges are bonds; molecules hang together by the shortest contact they have in
    `complex.positions`, the largest first.  For `imaging.make_whole`, in local indices.
    """
    place = np.full(complex.topology.getNumAtoms(), -1)
    place[atoms] = np.arange(len(atoms))
    bonds = [(a.index, b.index) for a, b in complex.topology.bonds()]
    bonds += complex.ligand[complex.ligand_bonds].tolist()
    pairs = place[np.array(bonds, dtype=np.int64).reshape(-1, 2)]
    pairs = pairs[(pairs >= 0).all(axis=1)]
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(len(atoms), len(atoms))).tocsr()
    count, label = connected_components(graph, directed=False)
    points = complex.positions[atoms]
    loose = sorted(range(count), key=lambda k: int((label == k).sum()))
    root = int(np.flatnonzero(label == loose.pop())[0])
    edges = [_walk(graph, root)]
    joined = label == label[root]
    while loose:
        tree = cKDTree(points[joined])
        reach, near = tree.query(points[~joined])
        child = np.flatnonzero(~joined)[reach.argmin()]
        parent = np.flatnonzero(joined)[near[reach.argmin()]]
        edges += [np.array([[parent, child]]), _walk(graph, int(child))]
        joined |= label == label[child]
        loose.remove(label[child])
    return np.concatenate(edges)


def _walk(graph: coo_matrix, root: int) -> np.ndarray:
    order, before = breadth_first_order(graph, root, directed=False)
    return np.stack([before[order[1:]], order[1:]], axis=1).astype(np.int64)
