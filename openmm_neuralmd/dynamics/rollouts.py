"""Forecasts without OpenMM: one complex, one replica or thousands at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from ..bindingnet import ComplexTensors, Protein, complex_tensors
from ..errors import InputError, ModelError
from .state import State

if TYPE_CHECKING:
    from ..complexes import Complex
    from ..training.checkpoints import Model


@runtime_checkable
class Propagator(Protocol):
    """What a learned dynamics offers: encode the protein, start from snapshots, go on."""

    def encode(self, c: ComplexTensors) -> Protein:
        """The rigid protein, once."""

    def start(self, c: ComplexTensors, known: Tensor, valid: Tensor) -> State:
        """State at the last known snapshot (B, T, n, 3), reading nothing later."""

    def integrate(
        self, c: ComplexTensors, protein: Protein, state: State, snapshots: int
    ) -> tuple[Tensor, State]:
        """The next snapshots (B, S, n, 3) in Å, and the state at the last of them."""


def rollout(
    model: Model,
    complex: Complex,
    known: np.ndarray,
    snapshots: int,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Forecast the ligand's next snapshots in a rigid protein.

    Parameters
    ----------
    model : Model
        A dynamics with its card.
    complex : Complex
        The protein at its own positions.
    known : array (T, n, 3) or (replicas, T, n, 3)
        Heavy-atom coordinates of the known snapshots in Å, the present one last, in the
        protein's frame.  A deterministic dynamics needs one history per replica.
    snapshots : int
        How many to forecast.
    device : torch.device or str

    Returns
    -------
    array (snapshots, n, 3) or (replicas, snapshots, n, 3)
        Å, float64.

    Raises
    ------
    ModelError
        If the model does not jump, or does not know the ligand's elements.
    InputError
        If the coordinates do not fit the complex or are not finite.
    """
    dynamics = model.dynamics
    if not isinstance(dynamics, Propagator):
        raise ModelError(
            f"model '{model.card.name}' ({model.card.kind}) does not jump snapshots; use it as a "
            "NeuralMDForce with an OpenMM integrator"
        )
    known = np.asarray(known)
    atoms = len(complex.heavy)
    if known.ndim not in (3, 4) or known.shape[-2:] != (atoms, 3) or known.shape[-3] == 0:
        raise InputError(
            f"{complex.name}: known snapshots have shape {known.shape}, expected (T, {atoms}, 3) "
            f"or (replicas, T, {atoms}, 3) with T >= 1: heavy ligand atoms in Å"
        )
    if not np.isfinite(known).all():
        raise InputError(f"{complex.name}: known snapshots contain coordinates that are not finite")
    model.check(complex)
    dtype = next(model.dynamics.parameters()).dtype
    single = complex_tensors(complex, dtype, device)
    histories = torch.as_tensor(known, dtype=dtype, device=device)
    if known.ndim == 3:
        histories = histories.unsqueeze(0)
    batch = histories.shape[0]
    valid = torch.ones(histories.shape[:2], dtype=torch.bool, device=device)
    with torch.no_grad():
        dynamics.to(device)
        protein = Protein(*(t.expand(batch, *t.shape[1:]) for t in dynamics.encode(single)))
        wide = single.expand(batch)
        x = dynamics.integrate(wide, protein, dynamics.start(wide, histories, valid), snapshots)[0]
    forecast = x.double().cpu().numpy()
    return forecast if known.ndim == 4 else forecast[0]
