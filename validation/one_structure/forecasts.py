"""Rows of the one-structure table: what each method says about a ligand it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from openmm_neuralmd.bindingnet.pocket import PocketAtoms
from openmm_neuralmd.dynamics.ou import Gaussian, NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.springs import springs
from openmm_neuralmd.training.ou_fit import OUFitSettings, fit_constants, fit_member
from openmm_neuralmd.training.ou_objective import example
from openmm_neuralmd.training.run_statistics import RunStatistics

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forecast:
    """A multivariate t distribution of a ligand's heavy atoms about a displaced pose.

    Attributes
    ----------
    displacement : (3n,)
        Of the mean from the given pose, Å.
    covariance : (3n, 3n)
        For a scale of 1, Å².
    freedom : float
        ν; infinite: a Gaussian.
    """

    displacement: Array
    covariance: Array
    freedom: float = np.inf

    def rmsf(self) -> Array:
        """Root mean square fluctuation (n,) for a scale of 1, Å."""
        return np.sqrt(np.diagonal(self.covariance).reshape(-1, 3).sum(-1))


Row = Callable[[RunStatistics], Forecast]


def of_model(g: Gaussian) -> Forecast:
    """Forecast from what the model writes down."""
    return Forecast(
        g.displacement.numpy().copy(),
        torch.linalg.inv(g.stiffness).numpy(),
        float(g.freedom),
    )


def fit_model(
    train: Sequence[RunStatistics], members: int, settings: OUFitSettings
) -> NeuralOU:
    """Class constants, then each member of the network."""
    torch.manual_seed(settings.seed)
    model = NeuralOU(NeuralOUSettings(members=members))
    fit_constants(model, [example(c) for c in train], settings.prior)
    for parameter in model.class_parameters():
        parameter.requires_grad_(False)
    for member in range(members):
        fit_member(model, member, train, settings)
    return model.eval()


def network(model: NeuralOU, displaced: bool = True, deleted: bool = False) -> Row:
    """The model; `displaced` False: u = 0; `deleted`: F = 0, the class constants alone."""

    @torch.no_grad()
    def row(c: RunStatistics) -> Forecast:
        s = springs(c.chemistry, c.start, c.pocket)
        found = of_model(model.gaussian(s, None if deleted else model.corrections(s)))
        return found if displaced else replace(found, displacement=0.0 * found.displacement)

    return row


def shuffled(model: NeuralOU, seed: int = 0) -> Row:
    """The same model with the kinds of the pocket's atoms permuted; positions stay."""

    def row(c: RunStatistics) -> Forecast:
        order = np.random.default_rng(seed).permutation(len(c.pocket.features))
        pocket = c.pocket._replace(features=c.pocket.features[order])
        return network(model)(replace(c, pocket=pocket))

    return row


def without_pocket(c: RunStatistics) -> RunStatistics:
    """The same complex with an empty pocket."""
    p = c.pocket
    return replace(c, pocket=PocketAtoms(p.index[:0], p.positions[:0], p.features[:0]))


def isotropic(train: Sequence[RunStatistics]) -> Row:
    """Independent noise of the training set's mean square size about the given pose."""
    variance = float(np.mean([np.mean((c.frames - c.start) ** 2) for c in train]))
    return lambda c: Forecast(np.zeros(3 * len(c.start)), variance * np.eye(3 * len(c.start)))


def contact_density(c: RunStatistics) -> Array:
    """ln of (Σ 1/d² over atoms of ligand and protein)^−1/2, (n, 1)."""
    inside = np.linalg.norm(c.start[:, None] - c.start, axis=-1)
    outside = np.linalg.norm(c.start[:, None] - c.pocket.positions, axis=-1)
    np.fill_diagonal(inside, np.inf)
    return -0.5 * np.log((inside**-2.0).sum(1) + (outside**-2.0).sum(1))[:, None]


def static_features(c: RunStatistics) -> Array:
    """Nine numbers (n, 9) of each atom that need no dynamics."""
    outside = np.linalg.norm(c.start[:, None] - c.pocket.positions, axis=-1)
    counts = [(outside < radius).sum(1) for radius in (4.0, 6.0, 8.0)]
    features = c.chemistry.features
    graph = c.chemistry.distances.mean(1)
    centre = np.linalg.norm(c.start - c.start.mean(0), axis=-1)
    inside = np.linalg.norm(c.start[:, None] - c.start, axis=-1)
    degree = features[:, 10:15] @ np.arange(1, 6)
    columns = [*counts, (inside < 6.0).sum(1), degree, features[:, -4], graph, centre]
    return np.column_stack([*columns, contact_density(c)[:, 0]]).astype(np.float64)


def regression(
    train: Sequence[RunStatistics],
    features: Callable[[RunStatistics], Array],
    penalty: float = 1.0,
) -> Row:
    """Ridge regression of ln(rms distance from the pose); every atom isotropic, independent."""
    x = np.concatenate([features(c) for c in train])
    away = [0.5 * np.log(((c.frames - c.start) ** 2).sum(-1).mean(0)) for c in train]
    y = np.concatenate(away)
    middle, spread = x.mean(0), x.std(0) + 1e-9
    z = (x - middle) / spread
    slope = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean()))

    def row(c: RunStatistics) -> Forecast:
        log = y.mean() + (features(c) - middle) / spread @ slope
        return Forecast(np.zeros(3 * len(log)), np.diag(np.repeat(np.exp(2 * log) / 3, 3)))

    return row


def of_snapshots(c: RunStatistics, snapshots: Array, shrinkage: float = 0.05) -> Forecast:
    """Mean and covariance of MD snapshots (T, n, 3), shrunk to the diagonal."""
    size = 3 * len(c.start)
    flat = (snapshots - c.start).reshape(len(snapshots), size)
    covariance = np.cov(flat.T, bias=True)
    diagonal = np.diag(np.diagonal(covariance) + 1e-4)
    return Forecast(flat.mean(0), (1 - shrinkage) * covariance + shrinkage * diagonal)
