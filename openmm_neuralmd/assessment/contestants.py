"""The methods that an assessment compares: naive baselines, a model, and the model with F = 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..analysis.coordinates import Array
from ..analysis.evaluation import Forecast, Sampler
from ..dynamics.naive import AR1, NAIVE
from ..errors import ModelError
from ..model import Model
from ..rollouts import rollout
from ..trajectory.snapshots import Snapshots

FUTURES = 8
"""Futures that are drawn of a method with noise."""
SEED = 0
"""Seed of the noise, and of the bootstrap."""
MEAN = " (mean of futures)"
"""Suffix of the name of a dynamics with noise, for the mean of `FUTURES` as one forecast."""
ALONE = " (structure alone)"
"""Suffix for a model that needs no known snapshot: the mean of `FUTURES` from none."""
ABLATED = ", F = 0"
"""Suffix of the name of a model whose network is switched off."""


def naive_forecasts(bonds: Array, others: Sequence[Tensor] = ()) -> dict[str, Forecast]:
    """Forecasts of the naive baselines, which are fitted at every origin to what is known there.

    Parameters
    ----------
    bonds : array (b, 2)
    others : sequence of Tensor (T, n, 3)
        Other replicas of the same complex that a baseline may learn from, Å.
    """
    pairs = torch.as_tensor(bonds)

    def forecast(name: str) -> Forecast:
        def predict(known: Array, count: int) -> Array:
            history = torch.as_tensor(known)
            method = NAIVE[name].fit([*others, history], bonds=pairs, horizon=count)
            return method.forecast(history, count).numpy()

        return predict

    return {name: forecast(name) for name in NAIVE}


def naive_samplers(bonds: Array, others: Sequence[Tensor] = ()) -> dict[str, Sampler]:
    """Ensembles of AR(1) with its noise, and of known stretches played again from random starts."""
    pairs = torch.as_tensor(bonds)

    def ar1(known: Array, count: int) -> Array:
        history = torch.as_tensor(known)
        method = AR1.fit([*others, history], bonds=pairs, horizon=count)
        generator = torch.Generator().manual_seed(SEED)
        return np.stack([method.sample(history, count, generator).numpy() for _ in range(FUTURES)])

    def replay(known: Array, count: int) -> Array:
        rng = np.random.default_rng(SEED)
        starts = rng.integers(len(known), size=FUTURES)
        return np.stack([known[(start + np.arange(count)) % len(known)] for start in starts])

    return {"ar1": ar1, "replay": replay}


def learned_forecasts(
    model: Model, snapshots: Snapshots, name: str | None = None
) -> dict[str, Forecast]:
    """Forecasts of a model; with noise, one future and the mean of `FUTURES`.

    A model that needs no known snapshot forecasts from the structure alone too.

    Parameters
    ----------
    name : str, optional
        Name of the method; the kind of the model by default.
    """
    name = name or model.card.kind
    single = {name: lambda known, count: rollout(model, snapshots.complex, known, count)}
    if not model.dynamics.stochastic:
        return single

    def mean(known: Array, count: int) -> Array:
        average: Array = _futures(model, snapshots, known, count).mean(0)
        return average

    def alone(known: Array, count: int) -> Array:
        average: Array = _futures(model, snapshots, None, count).mean(0)
        return average

    from_none = {name + ALONE: alone} if model.dynamics.least_known == 0 else {}
    return {**single, name + MEAN: mean, **from_none}


def learned_samplers(
    model: Model, snapshots: Snapshots, name: str | None = None
) -> dict[str, Sampler]:
    """The ensemble of a model: `FUTURES` with noise, its one forecast without."""
    return {name or model.card.kind: lambda known, n: _futures(model, snapshots, known, n)}


def _futures(model: Model, snapshots: Snapshots, known: Array | None, count: int) -> Array:
    replicas = FUTURES if model.dynamics.stochastic else 1
    return rollout(model, snapshots.complex, known, count, replicas=replicas, seed=SEED)


def has_ablation(model: Model) -> bool:
    """Test whether `without_network` applies to a model."""
    return model.dynamics.without_network() is not None


def without_network(model: Model) -> Model:
    """Copy a model without its network (F = 0), see `Dynamics.without_network`.

    A model that is no better than this copy owes nothing to its network.

    Raises
    ------
    ModelError
        The model has no network, see `has_ablation`.
    """
    dynamics = model.dynamics.without_network()
    if dynamics is None:
        raise ModelError(f"model '{model.card.name}' has no network that could be left out")
    return replace(model, dynamics=dynamics)
