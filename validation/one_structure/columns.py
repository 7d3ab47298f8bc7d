"""Columns of the one-structure table: how good a predicted distribution of a ligand is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import rankdata

from openmm_neuralmd.analysis.ensemble import torsion_divergence

Array = NDArray[np.float64]
LAGS = (1.0, 10.0, 80.0)
"""ps."""
CONTACT, NEAR = 4.5, 7.0
"""Å between heavy atoms: in contact; near enough in the given pose to be scored."""


@dataclass
class Forecast:
    """Prediction of one method for one complex.

    `centre` (3n,) and `precision` (3n, 3n, kT/Å²) of a Gaussian or, with `freedom`, of a
    multivariate t; `gaussian_scale` times the precision is that of a Gaussian of the training
    set's size; `draws` (S, 3n); `valid` (S, n, 3) snapshots that are molecules; `correlation`
    after `LAGS`; `rmsf` (n,) in Å about a run's own mean.
    """

    centre: Array
    precision: Array | None = None
    freedom: float = np.inf
    gaussian_scale: float = 1.0
    rmsf: Array | None = None
    draws: Array | None = None
    valid: Array | None = None
    correlation: Array | None = None


@dataclass
class Truth:
    """Snapshots (S, 3n) that a forecast is judged by, the given pose (3n,), and correlations.

    `pocket` (p, 3) are the pocket's heavy atoms as given: contacts are counted with these.
    """

    pose: Array
    frames: Array
    quadruples: NDArray[np.int64]
    metric: Array
    correlation: Array
    pocket: Array

    @property
    def rmsf(self) -> Array:
        """RMSF (n,) in Å about the mean."""
        return np.sqrt(self.frames.var(axis=0).reshape(-1, 3).sum(-1))


def columns(f: Forecast, t: Truth) -> dict[str, float]:
    """Every column that a forecast allows."""
    out = {**_likelihoods(f, t), **_fluctuations(f, t), **_displacement(f, t)}
    if f.draws is not None:
        out.update(_contacts(f.draws, t))
        root = np.linalg.cholesky(t.metric)
        out["energy_score"] = energy_score(f.draws, t.frames)
        out["energy_score_whitened"] = energy_score(f.draws @ root, t.frames @ root)
    if f.valid is not None:
        frames = t.frames.reshape(len(t.frames), -1, 3)
        if len(t.quadruples):
            out["torsions_bits"] = torsion_divergence(frames, f.valid, t.quadruples)
        out["energy_score_valid"] = energy_score(f.valid.reshape(len(f.valid), -1), t.frames)
    if f.correlation is not None:
        out["correlation_error"] = float(np.abs(f.correlation - t.correlation).mean())
        for lag, value, real in zip(LAGS, f.correlation, t.correlation):
            out[f"correlation_{lag:g}ps"], out[f"correlation_{lag:g}ps_true"] = value, real
    return {key: float(value) for key, value in out.items()}


def _likelihoods(f: Forecast, t: Truth) -> dict[str, float]:
    if f.precision is None:
        return {}
    size, away = len(t.pose), t.frames - f.centre
    squared = np.einsum("si,ij,sj->s", away, f.precision, away, optimize=True)
    volume = float(np.linalg.slogdet(f.precision)[1])
    a = f.gaussian_scale
    return {
        "nll": likelihood(squared, volume, size, f.freedom),
        "nll_gaussian": likelihood(a * squared, volume + size * np.log(a), size, np.inf),
    }


def _fluctuations(f: Forecast, t: Truth) -> dict[str, float]:
    if f.rmsf is None:
        return {}
    error = np.log(f.rmsf / t.rmsf)
    varies = f.rmsf.std() > 1e-9
    return {
        "log_rmsf_error": float(np.sqrt((error**2).mean())),
        "log_rmsf_bias": float(error.mean()),
        "log_rmsf_profile_error": float(error.std()),
        "r_within": float(np.corrcoef(f.rmsf, t.rmsf)[0, 1]) if varies else 0.0,
        "rmsf": float(f.rmsf.mean()),
        "rmsf_true": float(t.rmsf.mean()),
    }


def _displacement(f: Forecast, t: Truth) -> dict[str, float]:
    u, true = f.centre - t.pose, t.frames.mean(axis=0) - t.pose
    n = len(u) / 3
    size = float(np.sqrt((u @ u) * (true @ true)))
    return {
        "u_length": float(np.sqrt(u @ u / n)),
        "u_true": float(np.sqrt(true @ true / n)),
        "u_error": float(np.sqrt((u - true) @ (u - true) / n)),
        "u_cosine": float(u @ true) / size if size > 0 else 0.0,
    }


def _contacts(draws: Array, t: Truth) -> dict[str, float]:
    """Brier score of contacts in the snapshots, and AUROC of 'in contact half of the time'."""
    given = t.pose.reshape(-1, 3)
    i, p = np.nonzero(np.linalg.norm(given[:, None] - t.pocket, axis=-1) < NEAR)
    predicted, real = (occupancies(x, i, t.pocket[p]) for x in (draws, t.frames))
    brier = (predicted - real) ** 2 + real * (1 - real)
    return {"contact_brier": float(brier.mean()), "contact_auroc": auroc(predicted, real >= 0.5)}


def occupancies(x: Array, atoms: NDArray[np.int64], pocket: Array) -> Array:
    """Share of snapshots (S, 3n) in which ligand atoms (k,) touch pocket atoms (k, 3)."""
    places = x.reshape(len(x), -1, 3)
    touching = [np.linalg.norm(snapshot[atoms] - pocket, axis=-1) < CONTACT for snapshot in places]
    return np.mean(touching, axis=0)


def auroc(score: Array, label: NDArray[np.bool_]) -> float:
    """Probability that a true one has the higher score; ties count half."""
    if label.all() or not label.any():
        return float("nan")
    ranks = rankdata(score)
    positive = int(label.sum())
    above = ranks[label].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(label) - positive)))


def likelihood(squared: Array, log_precision: float, size: int, freedom: float) -> float:
    """Mean negative log-likelihood of snapshots, nats per degree of freedom."""
    if not np.isfinite(freedom):
        total = 0.5 * (squared.mean() + size * np.log(2 * np.pi) - log_precision)
        return float(total / size)
    normal = gammaln((freedom + size) / 2) - gammaln(freedom / 2)
    normal -= 0.5 * size * np.log(freedom * np.pi)
    spread = 0.5 * (freedom + size) * np.log1p(squared / freedom).mean()
    return float((spread - normal - 0.5 * log_precision) / size)


def energy_score(draws: Array, truth: Array) -> float:
    """E‖X − y‖ − E‖X − X′‖ / 2 in Å, with the RMSD over atoms as the norm."""
    atoms = np.sqrt(draws.shape[1] / 3)

    def apart(a: Array, b: Array) -> Array:
        squared = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        return np.sqrt(np.clip(squared, 0.0, None))

    centre = truth.mean(axis=0)  # the differences stay the same, and rounding small
    x, y = draws - centre, truth - centre
    within = apart(x, x)
    pairs = max(len(x) * (len(x) - 1), 1)
    return float((apart(x, y).mean() - 0.5 * within.sum() / pairs) / atoms)


def correlation(runs: list[Array], interval_ps: float) -> Array:
    """Autocorrelation (3,) of all coordinates together about a run's mean after `LAGS`."""
    out = []
    for lag in LAGS:
        steps = max(1, round(lag / interval_ps))
        centred = [run - run.mean(axis=0) for run in runs]
        product = np.mean([(run[:-steps] * run[steps:]).sum(1).mean() for run in centred])
        out.append(product / np.mean([(run * run).sum(1).mean() for run in centred]))
    return np.array(out)


def bootstrap(differences: Array, seed: int = 0, repeats: int = 10_000) -> list[float]:
    """Mean of paired differences over targets and its 95 % interval."""
    generator = np.random.default_rng(seed)
    values = np.asarray(differences, dtype=np.float64)
    means = values[generator.integers(len(values), size=(repeats, len(values)))].mean(1)
    return [float(values.mean()), *np.quantile(means, (0.025, 0.975)).tolist()]
