"""Fitting of NeuralMD-OU: class constants first, then each member of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import minimize

from ..dynamics.ou import NeuralOU
from ..dynamics.springs import START
from .ou_objective import Example, example, frame_examples, log_rmsf_error, statistics_loss
from .run_statistics import RunStatistics

REACH = 4.0
"""How far ln k of a class, and ln ν, may go from where they start."""


class OUFitSettings(BaseModel):
    """Settings by which NeuralMD-OU is fitted.

    Attributes
    ----------
    epochs : int
        Passes over all complexes.
    learning_rate, weight_decay : float
        Of AdamW.
    frames : int
        Random snapshots of each complex that serve as given poses too.
    start_share : float
        Share of the steps that take the real start as the given pose.
    rmsf_weight : float
        Weight of the profile of the RMSF in the loss.
    prior : float
        Weight of (ln k − ln k of `springs.START`)² for each class constant.
    seed : int
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(40, ge=0)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    frames: int = Field(20, ge=0)
    start_share: float = Field(0.25, ge=0, le=1)
    rmsf_weight: float = Field(0.1, ge=0)
    prior: float = Field(1e-3, ge=0)
    seed: int = 0


def fit_constants(model: NeuralOU, examples: Sequence[Example], prior: float = 1e-3) -> float:
    """Maximum likelihood of the class constants, without the network; the loss that is reached."""
    parameters = model.class_parameters()
    types = [parameter.dtype for parameter in parameters]
    initial = np.array([*np.log(START), np.log(3.0)])
    for parameter in parameters:  # a line search in single precision loses its way
        parameter.data = parameter.data.double()

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        parameters[0].data.copy_(torch.as_tensor(values[:-1]))
        parameters[1].data.fill_(values[-1])
        total = prior * ((parameters[0] - torch.as_tensor(initial[:-1])) ** 2).sum()
        for e in examples:
            total = total + statistics_loss(model.gaussian(e.springs, None), e) / len(examples)
        gradients = torch.autograd.grad(total, parameters)
        return float(total.detach()), np.append(*[g.reshape(-1).numpy() for g in gradients])

    bounds = [(value - REACH, value + REACH) for value in initial]
    optimum = minimize(loss, initial, jac=True, method="L-BFGS-B", bounds=bounds)
    loss(optimum.x)
    for parameter, kind in zip(parameters, types):
        parameter.data = parameter.data.to(kind)
    return float(optimum.fun)


def fit_member(
    model: NeuralOU,
    member: int,
    complexes: Sequence[RunStatistics],
    settings: OUFitSettings,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train one member of the network; the class constants stay as they are."""
    generator = np.random.default_rng([settings.seed, member])
    starts = [example(c) for c in complexes]
    others = [frame_examples(c, settings.frames, generator) for c in complexes]
    network = model.members[member]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = max(1, settings.epochs * len(complexes))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=steps + 1, pct_start=0.1
    )
    network.train()
    for epoch in range(settings.epochs):
        losses = []
        for k in generator.permutation(len(complexes)):
            frame = others[k] and generator.random() > settings.start_share
            e = others[k][generator.integers(len(others[k]))] if frame else starts[k]
            g = model(e.springs, member)
            loss = statistics_loss(g, e) + settings.rmsf_weight * log_rmsf_error(g, e)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
        if report is not None:
            report(epoch, float(np.mean(losses)))
    network.eval()
