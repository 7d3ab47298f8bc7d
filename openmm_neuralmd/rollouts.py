"""Forecasts without OpenMM: one complex, one replica or thousands at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .errors import InputError, ModelError
from .trajectory.history import History, checked

if TYPE_CHECKING:
    from .model import Model
    from .structure.complex import Complex


def rollout(
    model: Model,
    complex: Complex,
    known: History | np.ndarray | None,
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
    known : History, or array (T, n, 3) or (replicas, T, n, 3), or None
        Coordinates of the ligand's `sites` (heavy atoms, as a rule) in the known snapshots, in Å
        and in the protein's frame, the present one last.  None, or T = 0, for a model that
        starts from one structure (NeuralMD-OU): the complex's own.
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

    Examples
    --------
    >>> from openmm_neuralmd import example, load_model, rollout
    >>> snapshots = example("gpcr-ergotamine")
    >>> model = load_model("gpcr-ergotamine")
    >>> rollout(model, snapshots.complex, snapshots.ligand[:84], snapshots=3).shape
    (3, 43, 3)
    """
    dynamics = model.dynamics
    if not dynamics.jumps:
        raise ModelError(
            f"model '{model.card.name}' ({model.card.kind}) does not jump snapshots; "
            f"{dynamics.instead}"
        )
    complex = model.fitted(complex)
    least = dynamics.least_known
    if known is None and least == 0:
        known = np.zeros((0, len(complex.sites), 3))
    ligand = known.ligand if isinstance(known, History) else known
    known = checked(np.asarray(ligand), complex, dimensions=(3, 4), least=least)
    if replicas is not None and (known.ndim == 4 or replicas < 1):
        raise InputError(
            f"{complex.name}: replicas={replicas} needs one history "
            f"(T, {len(complex.sites)}, 3) and 1 or more"
        )
    forecast = dynamics.futures(
        complex,
        known if known.ndim == 4 else known[None],
        snapshots,
        replicas,
        interval=model.card.interval_ps,
        seed=seed,
        device=device,
    )
    return forecast if known.ndim == 4 or replicas is not None else forecast[0]
