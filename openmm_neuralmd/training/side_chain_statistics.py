"""Sufficient statistics of the side chains around a ligand: mean and covariance of each atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.side_chains import SideChains

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SideChainStatistics:
    """Runs of the side chains around a ligand.

    Attributes
    ----------
    side : SideChains
        Their structure, m atoms that move.
    rows : (k,) int64
        Moving atoms that have statistics.
    columns : (k,) int64
        Their numbers among the atoms of the packed file.
    mean : (k, 3)
        Over all runs, Å.
    covariance : (k, 3, 3)
        About `mean`, within the runs and between them, Å².
    rmsf : (R, k)
        About the mean of each run, Å.
    """

    side: SideChains
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    mean: Array
    covariance: Array
    rmsf: Array


def side_chain_statistics(
    side: SideChains, atoms: ArrayLike, means: ArrayLike, covariances: ArrayLike
) -> SideChainStatistics:
    """Statistics of the moving atoms, from those of any atoms of the same topology.

    Parameters
    ----------
    side : SideChains
    atoms : (p,) int64
        Index in the topology.
    means : (R, p, 3)
        Of each run, Å.
    covariances : (R, p, 3, 3)
        About the mean of each run, Å².
    """
    place = {int(atom): k for k, atom in enumerate(np.asarray(atoms))}
    pairs = [(k, place[int(a)]) for k, a in enumerate(side.atoms) if int(a) in place]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    each = np.asarray(means, dtype=np.float64)[:, columns]
    within = np.asarray(covariances, dtype=np.float64)[:, columns]
    mean = each.mean(axis=0)
    away = each - mean
    between = np.einsum("rki,rkj->kij", away, away) / len(away)
    rmsf = np.sqrt(np.einsum("rkii->rk", within))
    return SideChainStatistics(side, rows, columns, mean, within.mean(axis=0) + between, rmsf)
