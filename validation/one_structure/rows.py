"""Rows of the one-structure table that need no network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from columns import Forecast
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.optimize import minimize
from scipy.special import gammaln

from openmm_neuralmd.structure.imaging import superpose
from openmm_neuralmd.training.run_statistics import RunStatistics

Array = NDArray[np.float64]
DRAWS = 300


def contact_density(c: RunStatistics) -> Array:
    """Contact density (Σ 1/d² over ligand and protein atoms)^-1/2 of each heavy atom (n,)."""
    inner = np.linalg.norm(c.start[:, None] - c.start, axis=-1)
    outer = np.linalg.norm(c.start[:, None] - c.pocket.positions, axis=-1)
    np.fill_diagonal(inner, np.inf)
    return ((1 / inner**2).sum(1) + (1 / outer**2).sum(1)) ** -0.5


def static_features(c: RunStatistics) -> Array:
    """Nine static features (n, 9) of the ridge row, see the design page."""
    outer = np.linalg.norm(c.start[:, None] - c.pocket.positions, axis=-1)
    counts = [(outer < radius).sum(1) for radius in (4.0, 6.0, 8.0)]
    steps = c.chemistry.distances.astype(float)
    degree = (c.chemistry.distances == 1).sum(1)
    ring = c.chemistry.features[:, -4]
    away = np.linalg.norm(c.start - c.start.mean(0), axis=1)
    inside = np.log(contact_density(c))
    columns = (*counts, inside, degree, ring, steps.mean(1), steps.max(1), away)
    return np.stack([np.asarray(one, dtype=float) for one in columns], axis=1)


def true_rmsf(c: RunStatistics) -> Array:
    """RMSF (n,) about each run's own mean."""
    squared = [run.var(axis=0).sum(-1) for run in c.runs]
    return np.sqrt(np.mean(squared, axis=0))


def fit_rmsf(complexes: Sequence[RunStatistics], ridge: float | None) -> tuple[Array, Array, Array]:
    """Coefficients, mean and deviation of a linear model of ln RMSF.

    `ridge` None: the contact density alone, else its penalty on the nine static features.
    """
    x = [
        static_features(c) if ridge is not None else np.log(contact_density(c))[:, None]
        for c in complexes
    ]
    y = np.concatenate([np.log(true_rmsf(c)) for c in complexes])
    every = np.concatenate(x)
    mean, deviation = every.mean(0), every.std(0) + 1e-9
    a = np.concatenate([(every - mean) / deviation, np.ones((len(every), 1))], axis=1)
    penalty = np.diag([ridge or 0.0] * every.shape[1] + [0.0])
    return np.linalg.solve(a.T @ a + penalty, a.T @ y), mean, deviation


def rmsf_of(c: RunStatistics, fit: tuple[Array, Array, Array], ridge: bool) -> Array:
    """RMSF (n,) in Å of a linear model."""
    coefficients, mean, deviation = fit
    x = static_features(c) if ridge else np.log(contact_density(c))[:, None]
    return np.exp((x - mean) / deviation @ coefficients[:-1] + coefficients[-1])


def fit_scale(squared: Sequence[float], sizes: Sequence[int]) -> tuple[float, float, float]:
    """Factor and ν of a t, and factor of a Gaussian, for a precision of known shape.

    Parameters
    ----------
    squared : (complexes,)
        tr(P S) of each training complex, S the second moment about the predicted centre.
    sizes : (complexes,)
        Degrees of freedom.
    """
    m, d = np.asarray(squared, dtype=float), np.asarray(sizes, dtype=float)

    def loss(p: Array) -> float:
        a, nu = np.exp(p)
        normal = gammaln((nu + d) / 2) - gammaln(nu / 2) - 0.5 * d * np.log(nu * np.pi)
        spread = 0.5 * (nu + d) * np.log1p(a * m / nu)
        prior = 1e-3 * (p[1] - np.log(3.0)) ** 2
        return float(((spread - normal - 0.5 * d * p[0]) / d).mean() + prior)

    minimum = minimize(loss, np.log([(d / m).mean(), 3.0]), method="Nelder-Mead").x
    return float(np.exp(minimum[0])), float(np.exp(minimum[1])), float(1 / (m / d).mean())


def second_moment(c: RunStatistics) -> Array:
    """Second moment (3n, 3n) in Å² about the given pose."""
    away = (c.mean - c.start).reshape(-1)
    return c.covariance + np.outer(away, away)


def independent(
    c: RunStatistics,
    train: Sequence[RunStatistics],
    shapes: tuple[Array, Sequence[Array]],
    seed: int,
) -> Forecast:
    """Independent atoms about the given pose.

    `shapes` are relative RMSFs (n,) of this complex and of the training complexes; one factor and ν
    are fitted on the training complexes.
    """
    own, others = shapes
    squared = [
        float((np.diag(second_moment(o)) / np.repeat(s**2 / 3, 3)).sum())
        for o, s in zip(train, others)
    ]
    factor, freedom, gaussian = fit_scale(squared, [3 * len(o.start) for o in train])
    precision = np.diag(factor / np.repeat(own**2 / 3, 3))
    centre = c.start.reshape(-1)
    draws = t_draws(centre, precision, freedom, seed)
    return Forecast(centre, precision, freedom, gaussian / factor, own, draws)


def t_draws(centre: Array, precision: Array, freedom: float, seed: int) -> Array:
    """Draws (S, 3n) of a multivariate t."""
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(np.linalg.inv(precision))
    scale = np.ones(DRAWS)
    if np.isfinite(freedom):
        scale = 1 / np.sqrt(generator.gamma(freedom / 2, 2 / freedom, size=DRAWS))
    noise = generator.normal(size=(DRAWS, len(centre)))
    return centre + scale[:, None] * (noise @ root.T)


def conformers(c: RunStatistics, count: int = 50, seed: int = 1) -> Array | None:
    """Heavy atoms (S, n, 3) of conformers by ETKDG, laid on the given pose; None: it failed."""
    bare = Chem.RemoveHs(c.molecule)
    molecule = Chem.AddHs(bare, addCoords=True)
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed = seed
    ids = AllChem.EmbedMultipleConfs(molecule, count, parameters)
    n = len(c.start)
    if not len(ids) or bare.GetNumAtoms() != n:
        return None
    # Heavy atoms keep their order, and AddHs appends the hydrogens.
    every = np.stack([molecule.GetConformer(one).GetPositions()[:n] for one in ids])
    rotation, translation = superpose(every, c.start)
    return every @ rotation + translation[:, None]
