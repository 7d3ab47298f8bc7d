"""Comparison of an ensemble with the true one: fluctuations, distributions, memory.

A forecast can be right on average and move like no molecule; here nothing is compared snapshot by
snapshot.  Coordinates are (S, n, 3) in Å, heavy atoms of the ligand in the protein's frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import jensenshannon

from ..errors import InputError
from .coordinates import Array, checked
from .fluctuation import correlation, rmsf
from .metrics import pair_distances
from .statistics import autocorrelation, integrated_time

TORSION_BINS = 36
"""Of 10° each."""
TORSION_EDGES = np.linspace(-180.0, 180.0, TORSION_BINS + 1)
DISTANCE_BIN = 0.1
"""Å."""
LONGEST = 0.5
"""Largest lag, as a share of the shortest segment, that an autocorrelation time is summed to."""


def rotatable_torsions(bonds: ArrayLike, atoms: int) -> NDArray[np.int64]:
    """Four atoms about each bond that can turn, (K, 4).

    A bond can turn that is in no ring and has a further heavy atom at both ends; of several, the
    one of the lowest index is taken.

    Parameters
    ----------
    bonds : array (b, 2)
        Bonds between heavy atoms, local indices.
    atoms : int
        Number of heavy atoms, n.
    """
    pairs = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
    neighbours: list[list[int]] = [[] for _ in range(atoms)]
    for i, j in pairs.tolist():
        neighbours[i].append(j)
        neighbours[j].append(i)
    quadruples = []
    for row, (j, k) in enumerate(pairs.tolist()):
        ends = [
            min((a for a in neighbours[x] if a != y), default=None) for x, y in ((j, k), (k, j))
        ]
        if None not in ends and not _in_ring(np.delete(pairs, row, axis=0), atoms, j, k):
            quadruples.append([ends[0], j, k, ends[1]])
    return np.array(quadruples, dtype=np.int64).reshape(-1, 4)


def _in_ring(others: NDArray[np.int64], atoms: int, j: int, k: int) -> bool:
    """Test whether j and k stay connected without the bond between them."""
    ones = np.ones(len(others))
    graph = coo_matrix((ones, (others[:, 0], others[:, 1])), shape=(atoms, atoms))
    _, label = connected_components(graph, directed=False)
    return bool(label[j] == label[k])


def torsions(x: ArrayLike, quadruples: ArrayLike) -> Array:
    """Dihedral angles (S, K) in degrees, −180 to 180, positive clockwise along the middle bond."""
    array = checked(x, atoms=4)
    a, b, c, d = (array[:, column] for column in np.asarray(quadruples, dtype=np.int64).T)
    first, middle, last = b - a, c - b, d - c
    normal, other = np.cross(first, middle), np.cross(middle, last)
    axis = middle / np.linalg.norm(middle, axis=-1, keepdims=True).clip(min=1e-12)
    sine = (np.cross(normal, other) * axis).sum(-1)
    return np.degrees(np.arctan2(sine, (normal * other).sum(-1)))


def torsion_histograms(x: ArrayLike, quadruples: ArrayLike) -> Array:
    """Share of the snapshots in each bin of `TORSION_EDGES`, (K, bins), of each torsion."""
    angles = torsions(x, quadruples)
    counts = [np.histogram(column, TORSION_EDGES)[0] for column in angles.T]
    return np.array(counts, dtype=np.float64).reshape(-1, TORSION_BINS) / len(angles)


def divergence(p: ArrayLike, q: ArrayLike, edges: ArrayLike) -> float:
    """Jensen–Shannon divergence of two samples in bins, in bits: 0 for equal, 1 for disjoint.

    Finite samples of one distribution are some way from 0: set it beside that of two halves of the
    truth.
    """
    counts = [np.histogram(np.asarray(x), bins=np.asarray(edges))[0] for x in (p, q)]
    if not all(count.sum() for count in counts):
        raise InputError("A divergence needs values inside the bins on both sides.")
    return float(jensenshannon(*counts, base=2) ** 2)


def torsion_divergence(truth: ArrayLike, prediction: ArrayLike, quadruples: ArrayLike) -> float:
    """Mean over torsions of the divergence of their angles; NaN for a ligand without any."""
    if not np.asarray(quadruples).size:
        return float("nan")
    pairs = zip(torsions(truth, quadruples).T, torsions(prediction, quadruples).T, strict=True)
    return float(np.mean([divergence(p, q, TORSION_EDGES) for p, q in pairs]))


def distance_divergence(truth: ArrayLike, prediction: ArrayLike) -> float:
    """Mean over pairs of atoms of the divergence of their distances."""
    a, b = pair_distances(truth), pair_distances(prediction)
    if a.shape[1] != b.shape[1]:
        raise InputError("truth and prediction have different numbers of atoms.")
    values = []
    for p, q in zip(a.T, b.T, strict=True):
        low, high = min(p.min(), q.min()), max(p.max(), q.max())
        bins = max(1, int(np.ceil((high - low) / DISTANCE_BIN)))
        values.append(divergence(p, q, low + DISTANCE_BIN * np.arange(bins + 1)))
    return float(np.mean(values))


def correlation_time(x: ArrayLike, segments: Sequence[range] | None = None) -> float:
    """Integrated autocorrelation time of the coordinates, in snapshots."""
    array = checked(x)
    stretches = [range(len(array))] if segments is None else list(segments)
    longest = int(LONGEST * min(len(stretch) for stretch in stretches))
    if longest < 1:
        raise InputError("An autocorrelation time needs segments of two snapshots or more.")
    lags = range(1, longest + 1)
    return integrated_time(np.array([autocorrelation(array, lag, stretches) for lag in lags]))


def ensemble_table(
    truth: ArrayLike,
    prediction: ArrayLike,
    *,
    bonds: ArrayLike,
    segments: Sequence[range] | None = None,
    predicted_segments: Sequence[range] | None = None,
) -> dict[str, float]:
    """Compute all ensemble metrics, by the names that tables use.

    Parameters
    ----------
    truth : array (T, n, 3)
        Snapshots of the reference, Å.
    prediction : array (S, n, 3)
        Snapshots of the model, of one replica after the other; S need not be T.
    bonds : array (b, 2)
        Bonds between heavy atoms.
    segments, predicted_segments : sequence of range, optional
        Stretches without a break on either side.

    Returns
    -------
    dict
        ``rmsf_ratio`` and ``rmsf_correlation``: means over atoms of the RMSF over all snapshots by
        the truth's, and Pearson's correlation over atoms; ``future_rmsf_ratio``: the same ratio
        for one segment of the prediction, averaged over the segments, since eight futures pooled
        spread more than the one stretch of the truth; ``torsion_divergence``,
        ``distance_divergence`` in bits; ``time_ratio``: integrated autocorrelation times, the
        prediction's by the truth's.  NaN where the prediction does not move.
    """
    a, b = checked(truth, "truth", 2), checked(prediction, "prediction", 2)
    if a.shape[1] != b.shape[1]:
        raise InputError(
            f"truth has {a.shape[1]} atoms and prediction {b.shape[1]}: compare the same atoms."
        )
    quadruples = rotatable_torsions(bonds, a.shape[1])
    moves = bool(np.ptp(b, axis=0).max() > 1e-9)
    time = correlation_time(b, predicted_segments) if moves else float("nan")
    futures = [b[s.start : s.stop] for s in predicted_segments or [range(len(b))]]
    one = np.mean([rmsf(future).mean() for future in futures])
    return {
        "rmsf_ratio": float(rmsf(b).mean() / rmsf(a).mean()),
        "future_rmsf_ratio": float(one / rmsf(a).mean()),
        "rmsf_correlation": correlation(rmsf(a), rmsf(b)) if moves else float("nan"),
        "torsion_divergence": torsion_divergence(a, b, quadruples),
        "distance_divergence": distance_divergence(a, b),
        "time_ratio": time / correlation_time(a, segments),
    }
