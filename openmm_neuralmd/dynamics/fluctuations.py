"""What is known of how a ligand fluctuates: the directions and sizes in its known snapshots.

Atoms of a molecule move together.  Independent noise on them tears every bond; the deviations of
the known snapshots from their mean are motions that the molecule has made, they turn with the
complex, and any random combination of them has their covariance.
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


def fluctuations(known: Tensor, valid: Tensor, count: int) -> Fluctuations:
    """Covariance of the known snapshots about their mean, as at most `count` modes and a rest.

    The modes are the largest principal components; together with the rest they have exactly the
    variance of each atom, with the modes exactly the covariances that they span.  One known
    snapshot has no fluctuations: all zero.

    Parameters
    ----------
    known : Tensor (B, T, n, 3)
        Å; padding first.
    valid : Tensor (B, T), bool
    count : int
    """
    with torch.no_grad():
        weight = valid.to(known.dtype)[:, :, None, None]
        mean = (known * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        freedom = (valid.sum(1) - 1).clamp(min=1).to(known.dtype)[:, None, None, None]
        deviation = (known - mean) * weight / freedom.sqrt()
        flat = deviation.flatten(2)
        # Eigenvectors of the small matrix of snapshots: no n × n matrix, no order of atoms.
        _, vectors = torch.linalg.eigh(flat @ flat.transpose(1, 2))
        leading = vectors.flip(-1)[:, :, :count]
        modes = torch.einsum("btk,btnc->bknc", leading, deviation)
        missing = count - modes.shape[1]
        if missing > 0:
            nothing = modes.new_zeros(modes.shape[0], missing, *modes.shape[2:])
            modes = torch.cat((modes, nothing), dim=1)
        left = deviation.square().sum((1, 3)) - modes.square().sum((1, 3))
        return Fluctuations(modes, (left.clamp(min=0) / 3).sqrt())
