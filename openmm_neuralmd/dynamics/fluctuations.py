"""What is known of how a ligand moves: the poses it has held, and how it shakes about them.

Atoms of a molecule move together.  Independent noise on them tears every bond; what the known
snapshots did is motion that the molecule can do, it turns with the complex, and any random
combination of it has its covariance.  Fast and slow motion are told apart by a mean over
neighbouring snapshots: shaking about it is nearly Gaussian, while the means themselves are not
(torsions have wells), so that those are kept as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .noise import unit_noise


class Fluctuations(NamedTuple):
    """A Gaussian covariance of B ligands of n atoms: a few collective modes, and a rest.

    Attributes
    ----------
    modes : Tensor (B, K, n, 3)
        Å; noise is Σ_k ε_k modes_k with independent unit ε_k.
    rest : Tensor (B, n)
        Å, per coordinate: what the modes leave out, as independent noise of each atom.
    """

    modes: Tensor
    rest: Tensor

    def scaled(self, gain: Tensor, floor: Tensor) -> Fluctuations:
        """With each atom's amplitude multiplied by `gain` (B, n), and `floor` (B, n) Å added.

        The floor adds to the variance of the rest.
        """
        rest = (self.rest * gain).square() + floor.square()
        return Fluctuations(self.modes * gain[:, None, :, None], (rest + 1e-12).sqrt())

    def draw(self, generator: torch.Generator) -> Tensor:
        """Noise (B, n, 3) of this covariance, Å."""
        common = unit_noise(self.modes.shape[:2], self.modes, generator)
        own = unit_noise((*self.rest.shape, 3), self.modes, generator)
        return torch.einsum("bk,bknc->bnc", common, self.modes) + self.rest.unsqueeze(-1) * own


def local_means(known: Tensor, valid: Tensor, window: float) -> Tensor:
    """Mean (B, T, n, 3) of the known snapshots about each, weighted by exp(−|lag|/window).

    Parameters
    ----------
    known : Tensor (B, T, n, 3)
        Å; padding first.
    valid : Tensor (B, T), bool
    window : float
        Δ.
    """
    place = torch.arange(known.shape[1], dtype=known.dtype, device=known.device)
    weight = torch.exp(-(place[:, None] - place).abs() / window) * valid[:, None].to(known.dtype)
    weight = weight / weight.sum(-1, keepdim=True).clamp(min=1e-30)
    return torch.einsum("bts,bsnc->btnc", weight, known)


def fluctuations(deviation: Tensor, valid: Tensor, count: int) -> Fluctuations:
    """Covariance of deviations about zero, as at most `count` modes and a rest.

    The modes are the largest principal components; together with the rest they have exactly the
    variance of each atom, and exactly the covariances that they span.

    Parameters
    ----------
    deviation : Tensor (B, T, n, 3)
        Å; padding does not count.
    valid : Tensor (B, T), bool
    count : int
    """
    with torch.no_grad():
        weight = valid.to(deviation.dtype)[:, :, None, None]
        scaled = deviation * weight / weight.sum(1, keepdim=True).sqrt()
        flat = scaled.flatten(2)
        # Eigenvectors of the small matrix of snapshots: no n × n matrix, no order of atoms.
        _, vectors = torch.linalg.eigh(flat @ flat.transpose(1, 2))
        leading = vectors.flip(-1)[:, :, :count]
        modes = torch.einsum("btk,btnc->bknc", leading, scaled)
        missing = count - modes.shape[1]
        if missing > 0:
            nothing = modes.new_zeros(modes.shape[0], missing, *modes.shape[2:])
            modes = torch.cat((modes, nothing), dim=1)
        left = scaled.square().sum((1, 3)) - modes.square().sum((1, 3))
        return Fluctuations(modes, (left.clamp(min=0) / 3).sqrt())


def spaced(values: Tensor, valid: Tensor, count: int) -> Tensor:
    """`count` of the values (B, T, ...) of each row, evenly spaced over the valid ones."""
    length = valid.sum(1, keepdim=True)
    place = (torch.arange(count, device=valid.device) + 0.5) / count * length
    index = (valid.shape[1] - length) + place.long()
    return torch.stack([row[i] for row, i in zip(values, index, strict=True)])


def forgetting_time(means: Tensor, valid: Tensor, lag: int) -> Tensor:
    """Time τ (B,) in Δ after which local means have forgotten where they were.

    From their autocorrelation ρ at one lag, exp(−lag/τ) = ρ, summed over coordinates so that
    what moves most counts most.  Where less than three lags are known, or where nothing moves, it
    is the lag; it is never shorter, nor longer than all that is known.

    Parameters
    ----------
    means : Tensor (B, T, n, 3)
        Å, see `local_means`.
    lag : int
    """
    with torch.no_grad():
        weight = valid.to(means.dtype)[:, :, None, None]
        known = valid.sum(1).to(means.dtype)
        deviation = (
            means - (means * weight).sum(1, keepdim=True) / known.view(-1, 1, 1, 1)
        ) * weight
        variance = deviation.square().sum((1, 2, 3)) / known
        pairs = (known - lag).clamp(min=1)
        covariance = (deviation[:, lag:] * deviation[:, : max(0, means.shape[1] - lag)]).sum(
            (1, 2, 3)
        )
        rho = covariance / pairs / variance.clamp(min=1e-12)
        tau = -lag / torch.log(rho.clamp(1e-6, 1 - 1e-6))
        enough = (known >= 3 * lag) & (variance > 1e-12)
        bounded = torch.minimum(tau.clamp(min=float(lag)), known.clamp(min=float(lag)))
        return torch.where(enough, bounded, torch.full_like(tau, float(lag)))
