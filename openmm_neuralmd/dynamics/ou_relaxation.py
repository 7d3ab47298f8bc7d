"""Relaxation of each mode: a sum of independent Ornstein–Uhlenbeck components.

Mode m (an eigenvector of H with eigenvalue λ_m) has the variance 1/λ_m and the autocovariance
Σ_k w_mk exp(−t/τ_k) / λ_m.  The times τ_k are the same for all modes, the weights w_mk (positive,
their sum is 1) depend on the mode.  The slowest component stands for all that does not change
within a run: how far the mean of a run is from the predicted mean.
"""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..bindingnet.layers import MLP

DESCRIPTORS = 5
"""Numbers that a mode's weights depend on, see `mode_descriptors`."""


class RelaxationSettings(BaseModel):
    """Times of the components.

    Attributes
    ----------
    times_ps : tuple of float
        First values of τ_k; they are learned, except the last, slowest one.
    hidden : int
        Width of the network that gives the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    times_ps: tuple[float, ...] = Field((0.3, 1.5, 8.0, 40.0, 200.0, 1e5), min_length=2)
    hidden: int = Field(16, ge=1)


class Relaxation(nn.Module):
    """Weights and times of the components of each mode.

    Parameters
    ----------
    settings : RelaxationSettings
    """

    slowest: Tensor

    def __init__(self, settings: RelaxationSettings) -> None:
        super().__init__()
        times = torch.tensor(settings.times_ps)
        self.log_times = nn.Parameter(torch.log(times[:-1]))
        self.register_buffer("slowest", times[-1:].clone())
        self.linear = nn.Linear(DESCRIPTORS, len(times))
        self.network = MLP(DESCRIPTORS, settings.hidden, len(times))
        for layer in (self.linear, self.network[-1]):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    @property
    def times(self) -> Tensor:
        """τ_k (K,) in ps, the slowest last."""
        return torch.cat((self.log_times.exp(), self.slowest.to(self.log_times.dtype)))

    def forward(self, descriptors: Tensor) -> Tensor:
        """Weights (modes, K) from descriptors (modes, DESCRIPTORS)."""
        return torch.softmax(self.linear(descriptors) + self.network(descriptors), dim=-1)


def mode_descriptors(values: Tensor, modes: Tensor, jacobian: Tensor) -> Tensor:
    """Descriptors (modes, DESCRIPTORS) of modes, which their weights depend on; even in the mode.

    Logarithm of the eigenvalue, its square, shares of rigid-body translation, of rigid-body motion
    and of rigid-body motion with torsions.

    Parameters
    ----------
    values : Tensor (3n,)
        Eigenvalues of H, kT/Å².
    modes : Tensor (3n, 3n)
        Eigenvectors in columns.
    jacobian : Tensor (3n, 6 + r)
        See `rigid_torsion.jacobian`.
    """
    log = torch.log(values) / 3.0
    shares = []
    for columns in (jacobian[:, :3], jacobian[:, :6], jacobian):
        basis, _ = torch.linalg.qr(columns)
        shares.append(((basis.T @ modes) ** 2).sum(0))
    return torch.stack((log, log * log, *shares), dim=-1)
