"""Fitting of spring networks: class constants by maximum likelihood, then members by descent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import minimize
from torch import Tensor

from ..dynamics.spring_network import SpringNetwork

REACH = 4.0
"""How far ln k of a class, and ln ν, may go from where they start."""


class SpringFitSettings(BaseModel):
    """Settings by which a spring network is fitted.

    Attributes
    ----------
    epochs : int
        Passes over all complexes.
    learning_rate, weight_decay : float
        Of AdamW.
    rmsf_weight : float
        Weight of the error of ln RMSF in the loss.
    prior : float
        Weight of (ln k − ln k of `springs.START`)² for each class constant.
    seed : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(40, ge=0)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    rmsf_weight: float = Field(0.1, ge=0)
    prior: float = Field(1e-3, ge=0)
    seed: int = 0


def fit_class_constants(
    network: SpringNetwork, losses: Callable[[], Sequence[Tensor]], prior: float = 1e-3
) -> float:
    """Maximum likelihood of the class constants, without the members; the loss that is reached.

    Parameters
    ----------
    network : SpringNetwork
    losses : callable
        Loss of every complex with the present constants.
    prior : float
        See `SpringFitSettings`.
    """
    parameters = [parameter for parameter, _ in network.class_parameters()]
    starts = [start for _, start in network.class_parameters()]
    types = [parameter.dtype for parameter in parameters]
    initial = np.concatenate([start.reshape(-1).numpy() for start in starts])
    ends = np.cumsum([start.numel() for start in starts])
    for parameter in parameters:  # a line search in single precision loses its way
        parameter.data = parameter.data.double()

    def value(values: np.ndarray) -> tuple[float, np.ndarray]:
        for parameter, part in zip(parameters, np.split(values, ends[:-1]), strict=True):
            parameter.data.copy_(torch.as_tensor(part).reshape(parameter.shape))
        total = prior * ((network.constants - starts[0]) ** 2).sum()
        each = losses()
        for one in each:
            total = total + one / len(each)
        gradients = torch.autograd.grad(total, parameters)
        return float(total.detach()), np.concatenate([g.reshape(-1).numpy() for g in gradients])

    bounds = [(one - REACH, one + REACH) for one in initial]
    optimum = minimize(value, initial, jac=True, method="L-BFGS-B", bounds=bounds)
    value(optimum.x)
    for parameter, kind in zip(parameters, types):
        parameter.data = parameter.data.to(kind)
    return float(optimum.fun)


def descend(
    network: SpringNetwork,
    member: int,
    loss: Callable[[int], Tensor],
    complexes: int,
    settings: SpringFitSettings,
    generator: np.random.Generator,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train one member by AdamW, one complex after the other; class constants stay as they are.

    Parameters
    ----------
    network : SpringNetwork
    member : int
        Its number among the members.
    loss : callable
        Loss of one complex by its number.
    complexes : int
        How many there are.
    settings : SpringFitSettings
    generator : numpy.random.Generator
        Of the order of the complexes.
    report : callable, optional
        Called after each epoch with its number and mean loss.
    """
    for parameter, _ in network.class_parameters():
        parameter.requires_grad_(False)
    own = network.members[member]
    optimizer = torch.optim.AdamW(
        own.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = max(1, settings.epochs * complexes)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    own.train()
    for epoch in range(settings.epochs):
        losses = []
        for number in generator.permutation(complexes):
            value = loss(int(number))
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(value.detach()))
        if report is not None:
            report(epoch, float(np.mean(losses)))
    own.eval()
