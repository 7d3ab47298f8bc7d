"""Position, velocity and memory of a ligand, and how they start from known snapshots."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class State(NamedTuple):
    """State of a second-order dynamics with memory, of B ligands of n atoms.

    Attributes
    ----------
    x : Tensor (B, n, 3)
        Å.
    v : Tensor (B, n, 3)
        Å per Δ.
    y : Tensor (B, p, n, 3)
        Auxiliary positions of the p memory terms, Å.
    lengths : Tensor (B, q)
        Distances in Å that the ligand's bonds and angles keep (`ComplexTensors.pairs`).

    Examples
    --------
    >>> import torch
    >>> from openmm_neuralmd import example
    >>> from openmm_neuralmd.bindingnet import complex_tensors
    >>> from openmm_neuralmd.dynamics import NeuralODE, NeuralODESettings
    >>> known = example("gpcr-ergotamine")[:20]
    >>> x = torch.tensor(known.ligand).float()[None]
    >>> valid = torch.ones(1, 20, dtype=torch.bool)
    >>> state = NeuralODE(NeuralODESettings()).start(complex_tensors(known.complex), x, valid)
    >>> tuple(state.v.shape), tuple(state.y.shape)  # two memory terms
    ((1, 43, 3), (1, 2, 43, 3))
    """

    x: Tensor
    v: Tensor
    y: Tensor
    lengths: Tensor


def last_step(known: Tensor, valid: Tensor) -> Tensor:
    """Displacement x_t − x_{t−1} (B, n, 3) over the last interval; zero for one known snapshot.

    Parameters
    ----------
    known : Tensor (B, T, n, 3)
        Snapshots up to the present, Å, the present one last.
    valid : Tensor (B, T), bool
        False on snapshots that are padding (they come first).
    """
    if known.shape[1] < 2:
        return torch.zeros_like(known[:, -1])
    return (known[:, -1] - known[:, -2]) * valid[:, -2, None, None].to(known.dtype)


def remember(known: Tensor, valid: Tensor, tau: Tensor) -> Tensor:
    """Auxiliary positions y (B, p, n, 3) that the known snapshots leave behind.

    Each is the mean of the known snapshots weighted by exp(−age/τ): the solution of
    dy/dt = (x − y)/τ for a long history, the plain mean for τ → ∞, whatever its length.

    Parameters
    ----------
    tau : Tensor (p,)
        Memory times, Δ.
    """
    age = torch.arange(known.shape[1] - 1, -1, -1, dtype=known.dtype, device=known.device)
    logits = -age / tau.unsqueeze(-1)
    logits = logits.unsqueeze(0).masked_fill(~valid.unsqueeze(1), float("-inf"))
    return torch.einsum("bpt,btnc->bpnc", torch.softmax(logits, dim=-1), known)


def mean_lengths(known: Tensor, valid: Tensor, pairs: Tensor) -> Tensor:
    """Mean distance (B, q) in Å of each pair (B, q, 2) over the known snapshots."""
    index = pairs.clamp(min=0)[:, None, :, :, None].expand(-1, known.shape[1], -1, -1, 3)
    ends = torch.gather(known.unsqueeze(2).expand(-1, -1, pairs.shape[1], -1, -1), 3, index)
    distance = torch.linalg.vector_norm(ends[..., 0, :] - ends[..., 1, :], dim=-1)
    weight = valid.to(known.dtype).unsqueeze(-1)
    return (distance * weight).sum(1) / weight.sum(1)
