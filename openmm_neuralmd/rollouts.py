"""Forecasts without OpenMM: one complex, one replica or thousands at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
        Seed of the noise, where the dynamics has any: the same seed gives the same futures.  The
        noise of a replica depends on the seed and its number, not on how many there are.
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
    single = replicas is None and (known is None or _ligand(known).ndim == 3)
    complex, histories, numbers = _checked(model, complex, known, replicas)
    parts = model.dynamics.stream(
        complex,
        histories,
        numbers,
        [snapshots],
        interval=model.card.interval_ps,
        seed=seed,
        device=device,
    )
    forecast = next(iter(parts))
    return forecast[0] if single else forecast


def stream(
    model: Model,
    complex: Complex,
    known: History | np.ndarray | None,
    parts: Iterable[int],
    replicas: Sequence[int],
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[np.ndarray]:
    """Futures of one history, part after part, so that memory does not grow with their length.

    Parameters
    ----------
    model, complex, seed, device : see `rollout`
    known : History, array (T, n, 3) in Å, or None
    parts : iterable of int
        Snapshots of each part.
    replicas : sequence of int
        Numbers of the replicas, from 0.  Replica r is the same future, to rounding, in any batch
        and with any parts: row r of `rollout` with the same seed.

    Yields
    ------
    array (replicas, part, n, 3)
        Å, float64.

    Raises
    ------
    ModelError, InputError
        See `rollout`.

    Examples
    --------
    >>> from openmm_neuralmd import example, load_model
    >>> from openmm_neuralmd.rollouts import stream
    >>> known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine")
    >>> parts = stream(model, known.complex, known.ligand, [2, 1], replicas=[0, 7])
    >>> [part.shape for part in parts]
    [(2, 2, 43, 3), (2, 1, 43, 3)]
    """
    complex, histories, _ = _checked(model, complex, known, len(replicas))
    return model.dynamics.stream(
        complex,
        histories,
        replicas,
        parts,
        interval=model.card.interval_ps,
        seed=seed,
        device=device,
    )


def _ligand(known: History | np.ndarray) -> np.ndarray:
    return np.asarray(known.ligand if isinstance(known, History) else known)


def _checked(
    model: Model, complex: Complex, known: History | np.ndarray | None, replicas: int | None
) -> tuple[Complex, np.ndarray, range]:
    """The model's complex, histories (B, T, n, 3) in Å, and the numbers of the replicas."""
    dynamics = model.dynamics
    if not dynamics.jumps:
        raise ModelError(
            f"model '{model.card.name}' ({model.card.kind}) does not jump snapshots; "
            f"{dynamics.instead}"
        )
    complex = model.fitted(complex)
    least = dynamics.least_known
    nothing = np.zeros((0, len(complex.sites), 3))
    ligand = nothing if known is None else _ligand(known)
    histories = checked(ligand, complex, dimensions=(3, 4), least=least)
    if replicas is not None and (histories.ndim == 4 or replicas < 1):
        raise InputError(
            f"{complex.name}: replicas={replicas} needs one history "
            f"(T, {len(complex.sites)}, 3) and 1 or more"
        )
    histories = histories if histories.ndim == 4 else histories[None]
    return complex, histories, range(len(histories) if replicas is None else replicas)
