"""Small learned dynamics for tests."""

from __future__ import annotations

from typing import Any

import torch

from openmm_neuralmd.bindingnet import BindingNetSettings
from openmm_neuralmd.dynamics import LEARNED

SMALL = BindingNetSettings(hidden=8, vector_channels=2, ligand_layers=1, num_radial=8)


def small(name: str, **settings: object) -> Any:
    """A dynamics of that name with a small network and seeded weights, in double precision."""
    kind = LEARNED[name]
    content = {"network": SMALL.model_dump(exclude={"head"}), **settings}
    torch.manual_seed(0)
    return kind.module(kind.settings.model_validate(content)).double()
