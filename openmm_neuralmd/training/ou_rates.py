"""Fitting of what H does not say: relaxation of the modes, and wells of the torsions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..dynamics.internal_coordinates import CLASSES
from ..dynamics.ou import LARGE, NeuralOU, torsion_rows
from ..dynamics.ou_prediction import predict_pose
from ..dynamics.ou_relaxation import mode_descriptors
from ..dynamics.ou_wells import occupancy, wells
from ..dynamics.rigid_torsion import jacobian, rotatable_bonds
from .ou_fit import example
from .run_statistics import RunStatistics

PRIOR = 2.0
"""Torsions that each class begins with, 1 % of which is outside the given well."""


class Series:
    """Snapshots of a complex on the model's modes, each with variance 1 by the model.

    Attributes
    ----------
    values : list of Tensor (T, 3n)
        Of each run.
    descriptors : Tensor (3n, DESCRIPTORS)
    interval_ps : float
    """

    @torch.no_grad()
    def __init__(self, model: NeuralOU, c: RunStatistics) -> None:
        gaussian = model(example(c).springs)
        eigenvalues, modes = torch.linalg.eigh(gaussian.stiffness)
        centre = c.start.reshape(-1) + gaussian.displacement.numpy()
        scaled = modes * eigenvalues.sqrt()
        flat = [run.reshape(len(run), -1) - centre for run in c.runs]
        self.values = [torch.as_tensor(run) @ scaled for run in flat]
        columns = torch.as_tensor(jacobian(c.start, rotatable_bonds(c.chemistry)))
        self.descriptors = mode_descriptors(eigenvalues, modes, columns)
        self.interval_ps = c.interval_ps
        self.freedom = gaussian.freedom

    def sample(self, count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Times (T,) in ps and values (T, 3n) of snapshots with short and long lags."""
        run = self.values[generator.integers(len(self.values))]
        steps = np.round(np.exp(generator.uniform(0.0, np.log(len(run) / 2), size=count)))
        rows = np.unique(np.cumsum(generator.permutation(steps)).astype(int))
        rows = rows[rows < len(run)]
        begin = generator.integers(len(run) - rows[-1])
        rows = rows - rows[0] + begin
        return torch.as_tensor(rows * self.interval_ps), run[rows]


def process_loss(model: NeuralOU, series: Series, times: Tensor, values: Tensor) -> Tensor:
    """Negative log-likelihood of a trajectory's snapshots, nats per number.

    The scale of the complex is integrated out: a multivariate t over all modes and times.
    """
    weights = model.relaxation(series.descriptors.float()).double()
    tau = model.relaxation.times.double()
    lag = (times[:, None] - times).abs()
    kernel = torch.exp(-lag / tau[:, None, None])
    matrix = torch.einsum("mk,kst->mst", weights, kernel)
    matrix = matrix + 1e-6 * torch.eye(len(times), dtype=matrix.dtype)
    root = torch.linalg.cholesky(matrix)
    white = torch.linalg.solve_triangular(root, values.T.unsqueeze(-1), upper=False)
    count, nu = values.numel(), series.freedom
    log_volume = torch.log(torch.diagonal(root, dim1=-2, dim2=-1)).sum()
    spread = 0.5 * (nu + count) * torch.log1p((white**2).sum() / nu)
    normal = torch.lgamma((nu + count) / 2) - torch.lgamma(nu / 2) - 0.5 * count * torch.log(nu)
    return (log_volume + spread - normal) / count


def fit_relaxation(
    model: NeuralOU,
    complexes: Sequence[RunStatistics],
    steps: int = 400,
    count: int = 24,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> list[float]:
    """Maximum likelihood of the relaxation times and weights; the loss of each step."""
    generator = np.random.default_rng(seed)
    series = [Series(model, c) for c in complexes]
    parameters = list(model.relaxation.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))
    losses = []
    for _ in range(steps):
        one = series[generator.integers(len(series))]
        loss = process_loss(model, one, *one.sample(count, generator))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    return losses


@torch.no_grad()
def fit_typical(model: NeuralOU, complexes: Sequence[RunStatistics]) -> None:
    """Scale of a typical complex's fluctuations: the mean of ln(true / predicted RMSF).

    Predicted RMSFs are about the mean of a run, so this comes after the relaxation.
    """
    model.log_typical.zero_()
    ratios = []
    for c in complexes:
        squared = np.mean([run.var(axis=0).sum(-1) for run in c.runs], axis=0)
        predicted = predict_pose(model, c.chemistry, c.start, c.pocket).rmsf(c.window_ps)
        ratios.append(float(np.log(np.sqrt(squared) / predicted).mean()))
    model.log_typical.fill_(float(np.median(ratios)))


@torch.no_grad()
def fit_wells(model: NeuralOU, complexes: Sequence[RunStatistics]) -> None:
    """Shares of the wells of each class of torsions, and the rate of hopping, by counting."""
    outside = np.full((len(CLASSES), 2, 2), 0.01 * PRIOR) * [2 / 3, 1 / 3]
    torsions = np.full((len(CLASSES), 2), PRIOR)
    hops, waited = 0.1, 1.0
    for c in complexes:
        rotatable = rotatable_bonds(c.chemistry)
        if not len(rotatable.bonds):
            continue
        rows = torsion_rows(example(c).springs, torch.as_tensor(rotatable.quadruples))
        kinds = example(c).springs.kind[rows.clamp(min=0)].numpy()
        states = [wells(run, c.start, rotatable.quadruples) for run in c.runs]
        share = np.mean([occupancy(state) for state in states], axis=0)
        cell = (kinds, (rotatable.turning() > LARGE).astype(int))
        np.add.at(outside, cell, np.stack((share[:, 1] + share[:, 3], share[:, 2]), axis=-1))
        np.add.at(torsions, cell, 1.0)
        for state in states:
            moved = (np.diff(state, axis=0) != 0).sum(axis=0)
            several = moved > 0
            hops += float(moved[several].sum())
            waited += float(several.sum() * len(state) * c.interval_ps)
    stay = torsions - outside.sum(-1)
    logits = np.log(outside / np.maximum(stay, 1e-3)[..., None])
    model.leave.copy_(torch.as_tensor(logits))
    model.log_hop_rate.fill_(float(np.log(hops / waited)))
