"""Forecasts without OpenMM: one complex, one replica or thousands at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .bindingnet.inputs import complex_tensors
from .errors import InputError, ModelError
from .trajectory.history import History, checked
from .utils.nested import rows

if TYPE_CHECKING:
    from .model import Model
    from .structure.complex import Complex


def rollout(
    model: Model,
    complex: Complex,
    known: History | np.ndarray,
    snapshots: int,
    *,
    replicas: int | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """Forecast the ligand's next snapshots in a rigid protein.

    Parameters
    ----------
    model : Model
        A dynamics with its card.
    complex : Complex
        The protein at its own positions.
    known : History, or array (T, n, 3) or (replicas, T, n, 3)
        Coordinates of the ligand's `sites` (heavy atoms, as a rule) in the known snapshots, in Å
        and in the protein's frame, the present one last.
    snapshots : int
        How many to forecast.
    replicas : int, optional
        Number of futures of one history; a dynamics without noise makes them all the same.
    seed : int
        Seed of the noise, where the dynamics has any: the same seed gives the same futures.
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
    if not dynamics.jumps:
        raise ModelError(
            f"model '{model.card.name}' ({model.card.kind}) does not jump snapshots; "
            f"{dynamics.instead}"
        )
    complex = model.fitted(complex)
    if isinstance(known, History):
        known = known.ligand
    known = checked(np.asarray(known), complex, dimensions=(3, 4))
    if replicas is not None and (known.ndim == 4 or replicas < 1):
        raise InputError(
            f"{complex.name}: replicas={replicas} needs one history "
            f"(T, {len(complex.sites)}, 3) and 1 or more"
        )
    dtype = next(model.dynamics.parameters()).dtype
    single = complex_tensors(complex, dtype, device)
    histories = torch.as_tensor(known, dtype=dtype, device=device)
    if known.ndim == 3:
        histories = histories.unsqueeze(0)
    batch = replicas or histories.shape[0]
    valid = torch.ones(histories.shape[:2], dtype=torch.bool, device=device)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        dynamics.to(device)
        every = torch.zeros(batch, dtype=torch.int64, device=device)
        protein, wide = rows(dynamics.encode(single), every), rows(single, every)
        state = dynamics.start(rows(single, every[: len(histories)]), histories, valid)
        if replicas is not None:
            state = rows(state, every)
        x = dynamics.integrate(wide, protein, state, snapshots, generator)[0]
    forecast = x.double().cpu().numpy()
    return forecast if known.ndim == 4 or replicas is not None else forecast[0]
