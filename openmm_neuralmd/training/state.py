"""State of an interrupted training run: safetensors for the numbers, JSON for the counters."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import InputError, one_line
from ..utils.files import complete


@dataclass
class Counters:
    """Progress of a training run.

    Attributes
    ----------
    update : int
        Optimiser updates done.
    best, best_epoch : float, int
        Lowest validation error so far and its epoch.
    untrained : float
        Validation error before the first update; infinite where it was not measured.
    skipped : int
        Updates in a row that were skipped because their gradient was not finite.
    running : float
        Sum of the losses of the present epoch.
    history : list of dict
        One row per finished epoch.
    elements, residue_types : list of int
        Atomic numbers and residue types that the gradient has come from.
    """

    update: int = 0
    best: float = float("inf")
    best_epoch: int = -1
    untrained: float = float("inf")
    skipped: int = 0
    running: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    residue_types: list[int] = field(default_factory=list)


def save_state(
    path: Path,
    settings: str,
    counters: Counters,
    weights: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write everything that a resumed run needs to end bit for bit where this one would.

    Parameters
    ----------
    settings : str
        JSON of the settings and of the data's identity; a run resumes only its own.
    weights : dict
        Named state dicts (the weights, their moving average, the best so far).
    """
    tensors = {f"{kind}/{key}": t for kind, state in weights.items() for key, t in state.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{key}": value for key, value in state.items()}
    # safetensors refuses tensors that share memory.
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    with complete(path) as temporary:
        header = {"counters": json.dumps(asdict(counters)), "settings": settings}
        temporary.write_bytes(save(tensors, header))


def load_state(
    path: Path, settings: str, optimizer: torch.optim.Optimizer
) -> tuple[Counters, dict[str, dict[str, Tensor]]]:
    """Read what `save_state` wrote; the optimiser's state is restored in place.

    Raises
    ------
    InputError
        If the file is damaged or belongs to a run with other settings.
    """
    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}
    except (SafetensorError, OSError) as error:
        reason = f"damaged training state: {error}; --restart sets it aside"
        raise InputError(f"{path}: {reason}") from error
    if header.get("settings") != settings:
        raise InputError(
            f"{path}: belongs to a run with other settings or data; choose another output folder, "
            "or start anew with --restart (it sets the old state aside)"
        )
    weights: dict[str, dict[str, Tensor]] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    try:
        for key, value in tensors.items():
            kind, rest = key.split("/", 1)
            if kind == "optimizer":
                index, name = rest.split("/")
                moments.setdefault(int(index), {})[name] = value
            else:
                weights.setdefault(kind, {})[rest] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return TypeAdapter(Counters).validate_json(header["counters"]), weights
    except (KeyError, ValueError, RuntimeError) as error:
        reason = f"damaged training state: {one_line(error)}; --restart sets it aside"
        raise InputError(f"{path}: {reason}") from error


def copy_weights(module: nn.Module) -> dict[str, Tensor]:
    """A detached copy of a module's state."""
    return {key: value.detach().clone() for key, value in module.state_dict().items()}
