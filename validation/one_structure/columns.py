"""Columns of the one-structure table: how a forecast is judged by snapshots of MD."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import chi2

from forecasts import Forecast
from openmm_neuralmd.dynamics.ou_wells import torsion_angles

Array = NDArray[np.float64]
DRAWS = 200
BINS = 36
"""Of 10° each, for the distribution of a torsion."""


def likelihood(f: Forecast, away: Array) -> float:
    """Mean negative log-likelihood of displacements (S, 3n) Å, nats per degree of freedom."""
    size = len(f.displacement)
    root = np.linalg.cholesky(f.covariance + 1e-10 * np.eye(size))
    white = np.linalg.solve(root, (away - f.displacement).T)
    squared, volume, nu = (white**2).sum(0), np.log(np.diagonal(root)).sum(), f.freedom
    if np.isinf(nu):
        return float((0.5 * squared + volume).mean() / size + 0.5 * np.log(2 * np.pi))
    normal = gammaln((nu + size) / 2) - gammaln(nu / 2) - 0.5 * size * np.log(nu * np.pi)
    spread = 0.5 * (nu + size) * np.log1p(squared / nu)
    return float((spread + volume - normal).mean() / size)


def draws(f: Forecast, seed: int = 0, typical: bool = True) -> Array:
    """Random displacements (DRAWS, 3n), all with the median scale unless `typical` is False."""
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(f.covariance + 1e-10 * np.eye(len(f.covariance)))
    normal = generator.normal(size=(DRAWS, len(root))) @ root.T
    if np.isinf(f.freedom):
        return f.displacement + normal
    gamma = generator.gamma(f.freedom / 2, 2 / f.freedom, size=(DRAWS, 1))
    if typical:
        gamma = np.full_like(gamma, chi2.median(f.freedom) / f.freedom)
    return f.displacement + normal / np.sqrt(gamma)


def energy_score(ensemble: Array, truth: Array) -> float:
    """E‖X − y‖ − E‖X − X'‖/2 with ‖·‖ the RMSD of n atoms; of vectors (…, 3n)."""
    atoms = ensemble.shape[1] / 3.0
    if len(ensemble) == 1:
        return float(np.linalg.norm(truth - ensemble, axis=1).mean() / np.sqrt(atoms))
    near = np.mean([np.linalg.norm(ensemble - y, axis=1).mean() for y in truth])
    pairs = [np.linalg.norm(ensemble - x, axis=1).sum() / (len(ensemble) - 1) for x in ensemble]
    return float((near - 0.5 * np.mean(pairs)) / np.sqrt(atoms))


def whitening(away: Array) -> Array:
    """Matrix (3n, 3n) that gives the truth's own motion the variance 1 in every direction."""
    values, vectors = np.linalg.eigh(np.cov(away.T, bias=True))
    whitened: Array = vectors / np.sqrt(np.maximum(values, 1e-3))
    return whitened


def fluctuation(away: Array) -> Array:
    """RMSF (n,) of displacements (S, 3n) about their mean."""
    return np.sqrt(away.var(axis=0).reshape(-1, 3).sum(-1))


def cosine(u: Array, offset: Array) -> float:
    """Between predicted and true displacement of the mean; NaN where nothing is predicted."""
    size = np.linalg.norm(u) * np.linalg.norm(offset)
    return float(u @ offset / size) if size > 1e-12 else float("nan")


def torsion_divergence(one: Array, other: Array, quadruples: NDArray[np.int64]) -> float:
    """Mean Jensen–Shannon divergence in bits over torsions, of snapshots (S, n, 3)."""
    if not len(quadruples):
        return float("nan")
    return divergence(torsion_angles(one, quadruples), torsion_angles(other, quadruples))


def divergence(one: Array, other: Array) -> float:
    """Mean Jensen–Shannon divergence in bits of angles (S, r) in rad over the columns."""
    edges = np.linspace(-np.pi, np.pi, BINS + 1)
    found = []
    for column in range(one.shape[1]):
        p, q = (np.histogram(a[:, column], edges)[0] / len(a) for a in (one, other))
        middle = (p + q) / 2
        parts = [np.where(a > 0, a * np.log2(np.maximum(a, 1e-12) / np.maximum(middle, 1e-12)), 0)
                 for a in (p, q)]  # fmt: skip
        found.append(0.5 * sum(part.sum() for part in parts))
    return float(np.mean(found))


def correlation(run: Array, interval_ps: float, lag_ps: float) -> float:
    """Autocorrelation of all coordinates together, of a run (T, 3n) about its own mean."""
    away = run - run.mean(axis=0)
    step = max(1, round(lag_ps / interval_ps))
    if step >= len(away):
        return float("nan")
    return float((away[:-step] * away[step:]).mean() / (away**2).mean())
