"""Oscillation of a ligand in a forecast and in the truth: RMSF over time, torsions, contacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from figures.curves import ensemble_windows
from intervals import paired_difference
from openmm_neuralmd.analysis.coordinates import Array
from openmm_neuralmd.analysis.ensemble import (
    rotatable_torsions,
    torsion_divergence,
    torsion_histograms,
)
from openmm_neuralmd.analysis.evaluation import NO_CHEMISTRY, Chemistry, spaced
from openmm_neuralmd.analysis.fluctuation import WINDOW, correlation
from openmm_neuralmd.analysis.interactions import Occupancies, occupancies, recovery
from openmm_neuralmd.analysis.statistics import Interval, consecutive_clusters

SEEN = 50
"""Snapshots of each method that ProLIF looks at, evenly spaced; all of a shorter stretch."""
STILL = 1e-6
"""Å: atoms that fluctuate less do not move, and correlate with nothing."""
BLOCK = 2 * WINDOW
"""Successive windows that are drawn together: neighbours share snapshots."""


@dataclass(frozen=True, eq=False)
class Oscillation:
    """Fluctuations of the futures of one method.

    Attributes
    ----------
    curve : array (W,)
        RMSF-ligand in sliding windows, Å: mean over atoms and futures.
    atoms : array (n,)
        RMSF of each atom, Å: mean over windows and futures.
    histograms : array (K, bins)
        See `ensemble.torsion_histograms`.
    occupancy : dict or None
        See `interactions.occupancies`; None without chemistry.
    """

    curve: Array
    atoms: Array
    histograms: Array
    occupancy: Occupancies | None


def oscillation(
    futures: Array, quadruples: NDArray[np.int64], chemistry: Chemistry = NO_CHEMISTRY
) -> Oscillation:
    """Measure the fluctuations of futures (R, S, n, 3) in Å."""
    windows = ensemble_windows(futures)
    together = futures.reshape(-1, *futures.shape[2:])
    contacts = None
    if chemistry.molecule is not None and chemistry.protein is not None:
        some = spaced(together, min(SEEN, len(together)))
        contacts = occupancies(chemistry.protein, chemistry.molecule, some)
    return Oscillation(
        windows.mean(1), windows.mean(0), torsion_histograms(together, quadruples), contacts
    )


def compare(truth: Oscillation, other: Oscillation) -> dict[str, float]:
    """A method's numbers beside the truth's.

    Returns
    -------
    dict
        ``rmsf`` (Å, mean over windows and atoms), ``rmsf_ratio`` by the truth's,
        ``rmsf_atom_correlation``, ``rmsf_time_correlation`` (Pearson's), and with chemistry
        ``interaction_recovery`` and ``interaction_precision`` (%).  Correlations are NaN where a
        method stands still.
    """
    moves = other.atoms.max() > STILL
    row = {
        "rmsf": float(other.curve.mean()),
        "rmsf_ratio": float(other.curve.mean() / truth.curve.mean()),
    }
    for name, a, b in (
        ("rmsf_atom_correlation", truth.atoms, other.atoms),
        ("rmsf_time_correlation", truth.curve, other.curve),
    ):
        row[name] = correlation(a, b) if moves else np.nan
    if truth.occupancy is not None and other.occupancy is not None:
        row |= recovery(truth.occupancy, other.occupancy)
    return row


def rmsf_difference(truth: Oscillation, other: Oscillation) -> Interval:
    """Mean over windows of a method's RMSF-ligand less the truth's, with its 95 % interval, Å.

    Runs of `BLOCK` windows are drawn together.
    """
    clusters = consecutive_clusters([len(truth.curve)], BLOCK)
    return paired_difference(other.curve, truth.curve, clusters=clusters)


def torsion_divergences(
    truth: Array, futures: Mapping[str, Array], bonds: Array
) -> dict[str, float]:
    """Mean Jensen–Shannon divergence of rotatable torsions to the truth (S, n, 3), in bits."""
    quadruples = rotatable_torsions(bonds, truth.shape[1])
    return {
        name: torsion_divergence(truth, x.reshape(-1, *x.shape[2:]), quadruples)
        for name, x in futures.items()
    }
