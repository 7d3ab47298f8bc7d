"""Fitting of the side chains of NeuralMD-OU from the mean and the covariance of each atom."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..dynamics.ou import NeuralOU
from ..dynamics.ou_prediction import predict_pose
from ..dynamics.side_chain_motion import side_chain_motion
from ..dynamics.side_chain_network import SideChainGaussian, SideChainNetwork
from ..dynamics.side_chain_springs import SideChainSprings, side_chain_springs
from .run_statistics import RunStatistics
from .spring_fit import SpringFitSettings, descend, fit_class_constants

ROUNDS = 5


class SideChainFitSettings(SpringFitSettings):
    """Settings by which the side chains are fitted.

    Without snapshots as other given poses a network soon learns the complexes by heart: fewer
    epochs, smaller steps and a larger decay than for the ligand.
    """

    epochs: int = 12
    learning_rate: float = 1e-3
    weight_decay: float = 0.1


class SideChainExample(NamedTuple):
    """Side chains of one complex and the statistics of k of their atoms.

    Attributes
    ----------
    springs : SideChainSprings
    ligand : Tensor (3n, 3n)
        Covariance of the ligand's heavy atoms in the runs, Å².
    rows : Tensor (k,), int64
        Atoms with statistics.
    offset : Tensor (k, 3)
        Mean of the runs minus the given structure, Å.
    covariance : Tensor (k, 3, 3)
        About the mean of the runs, Å².
    log_rmsf : Tensor (k,)
        ln of the mean RMSF of a run, Å.
    """

    springs: SideChainSprings
    ligand: Tensor
    rows: Tensor
    offset: Tensor
    covariance: Tensor
    log_rmsf: Tensor


def side_chain_examples(complexes: Sequence[RunStatistics]) -> list[SideChainExample]:
    """Examples of the complexes whose runs have statistics of side chains."""
    out = []
    for c in complexes:
        s = c.side_chains
        if s is None or not len(s.rows):
            continue
        out.append(
            SideChainExample(
                side_chain_springs(s.side),
                torch.as_tensor(c.covariance),
                torch.as_tensor(s.rows),
                torch.as_tensor(s.mean - s.side.start[s.rows]),
                torch.as_tensor(s.covariance),
                torch.as_tensor(np.log(np.sqrt((s.rmsf**2).mean(axis=0)))),
            )
        )
    return out


def atom_blocks(covariance: Tensor, rows: Tensor) -> Tensor:
    """Covariance (k, 3, 3) of single atoms from that of all (3m, 3m)."""
    m = len(covariance) // 3
    index = torch.arange(m)
    return covariance.reshape(m, 3, m, 3)[index, :, index][rows]


def atom_loss(g: SideChainGaussian, e: SideChainExample) -> Tensor:
    """Negative log-likelihood of single atoms (k,), nats per coordinate.

    Each atom has a t distribution in three dimensions with ν degrees of freedom, whose logarithm is
    bounded as in `ou_fit.statistics_loss`.
    """
    blocks = atom_blocks(g.covariance(e.ligand), e.rows)
    away = e.offset - g.displacement.reshape(-1, 3)[e.rows]
    moment = e.covariance + away.unsqueeze(-1) * away.unsqueeze(-2)
    maha = (torch.linalg.inv(blocks) * moment).sum((-1, -2))
    nu = g.freedom
    normal = torch.lgamma((nu + 3) / 2) - torch.lgamma(nu / 2) - 1.5 * torch.log(nu * math.pi)
    spread = 0.5 * (nu + 3) * torch.log1p(maha / nu)
    return (spread - normal + 0.5 * torch.logdet(blocks)) / 3


def log_rmsf_gap(g: SideChainGaussian, e: SideChainExample) -> Tensor:
    """ln(predicted / true RMSF) of each atom (k,)."""
    blocks = atom_blocks(g.covariance(e.ligand), e.rows)
    return 0.5 * torch.log(blocks.diagonal(dim1=-2, dim2=-1).sum(-1)) - e.log_rmsf


def fit_side_chain_constants(
    network: SideChainNetwork, examples: Sequence[SideChainExample], prior: float = 1e-3
) -> float:
    """Maximum likelihood of the class constants of the side chains; the loss that is reached."""

    def losses() -> list[Tensor]:
        return [atom_loss(network.motion(e.springs, None), e).mean() for e in examples]

    return fit_class_constants(network, losses, prior)


def fit_side_chain_member(
    network: SideChainNetwork,
    member: int,
    examples: Sequence[SideChainExample],
    settings: SideChainFitSettings,
    report: Callable[[int, float], None] | None = None,
) -> None:
    """Train one member; the class constants stay as they are."""
    generator = np.random.default_rng([settings.seed, member])

    def loss(k: int) -> Tensor:
        e = examples[k]
        g = network.motion(e.springs, network.corrections(e.springs.springs, member))
        return atom_loss(g, e).mean() + settings.rmsf_weight * (log_rmsf_gap(g, e) ** 2).mean()

    descend(network, member, loss, len(examples), settings, generator, report)


@torch.no_grad()
def fit_side_chain_scale(model: NeuralOU, complexes: Sequence[RunStatistics]) -> None:
    """Scale of the side chains' fluctuations in a typical complex, as `ou_rates.fit_typical`.

    The likelihood also covers how far side chains leave the given structure, so that RMSFs without
    this scale are too large.  The ligand's share has a scale of its own: hence some rounds.
    """
    network = model.side_chains
    assert network is not None
    pairs = [(c, s) for c in complexes if (s := c.side_chains) is not None and len(s.rows)]
    processes = [predict_pose(model, c.chemistry, c.start, c.pocket).process for c, _ in pairs]
    network.log_typical.zero_()
    motions = [side_chain_motion(model, s.side, p) for (_, s), p in zip(pairs, processes)]
    for _ in range(ROUNDS):
        typical = float(network.log_typical.exp())
        ratios = []
        for (c, s), motion in zip(pairs, motions):
            assert motion is not None
            scaled = replace(motion, process=replace(motion.process, typical=typical))
            predicted = scaled.rmsf(c.window_ps)[s.rows]
            ratios.append(float(np.log(np.sqrt((s.rmsf**2).mean(axis=0)) / predicted).mean()))
        network.log_typical.add_(float(np.median(ratios)))
