"""Parts of a measurement that are made once: an interrupted program continues after the last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.utils.files import complete

IDENTITY = "identity"
Part = dict[str, np.ndarray]


def kept(path: Path, decisive: Mapping[str, Any], make: Callable[[], Part]) -> Part:
    """Read a part from its file, or make it and write the file.

    Parameters
    ----------
    path : Path
        A .npz.
    decisive : mapping
        All that decides the part; as JSON.
    make : callable

    Raises
    ------
    InputError
        The file is of a part with other settings.
    """
    key = json.dumps(decisive, sort_keys=True, default=str)
    identity = hashlib.sha256(key.encode()).hexdigest()
    if path.is_file():
        with np.load(path, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
        if str(arrays.pop(IDENTITY)) != identity:
            raise InputError(f"{path}: made with other settings; remove it, or choose another name")
        return arrays
    part = make()
    with complete(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **{IDENTITY: np.array(identity), **part})
    return part
