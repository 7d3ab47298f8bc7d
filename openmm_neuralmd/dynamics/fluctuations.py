"""Poses that a ligand has held, and its fluctuations about them, from known snapshots.

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

from .generators import Noise, unit_noise


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
        """Multiply each atom's amplitude by `gain` (B, n), and add `floor` (B, n) Å.

        The floor adds to the variance of the rest.
        """
        rest = (self.rest * gain).square() + floor.square()
        return Fluctuations(self.modes * gain[:, None, :, None], (rest + 1e-12).sqrt())

    def draw(self, generator: Noise) -> Tensor:
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
        _, size, direction = torch.linalg.svd(scaled.flatten(2), full_matrices=False)
        modes = (size.unsqueeze(-1) * direction)[:, :count].unflatten(2, deviation.shape[2:])
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


def holding_time(known: Tensor, means: Tensor, valid: Tensor) -> Tensor:
    """Estimate the lifetime (B,) of a pose, Δ, from the known snapshots' autocorrelation time.

    Hops between poses whose share of the variance is A give an integrated autocorrelation time
    A τ; that of the known snapshots is Σ ρ_l, up to the first ρ_l ≤ 0, coordinates summed so that
    what moves most counts most.  Between 1 and all that is known; all of it where nothing moves.

    Parameters
    ----------
    known, means : Tensor (B, T, n, 3)
        Å; padding first.  See `local_means`.
    valid : Tensor (B, T), bool
    """
    with torch.no_grad():
        weight = valid.to(known.dtype)[:, :, None, None]
        count = valid.sum(1).to(known.dtype)

        def centred(x: Tensor) -> Tensor:
            return (
                (x - (x * weight).sum(1, keepdim=True) / count.view(-1, 1, 1, 1)) * weight
            ).flatten(2)

        x, slow = centred(known), centred(means)
        variance = x.square().sum((1, 2)).clamp(min=1e-12)
        share = slow.square().sum((1, 2)) / variance
        # All lags at once: the power spectrum of the padded series.
        spectrum = torch.fft.rfft(x, 2 * x.shape[1], dim=1).abs().square().sum(2)
        rho = torch.fft.irfft(spectrum, dim=1)[:, 1 : x.shape[1]] / variance.unsqueeze(1)
        memory = (rho * (rho > 0).cumprod(1)).sum(1)
        moves = (share > 1e-6) & (count > 2)
        tau = torch.where(moves, memory / share.clamp(min=1e-6), count)
        return torch.minimum(tau, count).clamp(min=1.0)
