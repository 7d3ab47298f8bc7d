"""The learned dynamics by name."""

from __future__ import annotations

import warnings
from typing import Any, cast

from pydantic import BaseModel

from .contract import Dynamics, forecast
from .denoising import CGMD, DenoisingLD
from .gnn import GNNMD
from .ode import NeuralODE
from .sde import NeuralSDE
from .verlet import VerletMD

__all__ = ["LEARNED", "Dynamics", "Learned", "forecast"]

LEARNED: dict[str, type[Dynamics]] = {
    "neuralmd-ode": NeuralODE,
    "neuralmd-sde": NeuralSDE,
    "verletmd": VerletMD,
    "gnn-md": GNNMD,
    "denoising-ld": DenoisingLD,
    "cg-md": CGMD,
}
"""Every learned dynamics, by the name it has in settings files, model files and tables."""


def Learned(module: Any, settings: type[BaseModel], stochastic: bool = False) -> type[Dynamics]:
    """A dynamics in its former form, three values, as a class that fills in the contract."""
    warnings.warn(
        "Learned(...) goes with the next release: subclass dynamics.Dynamics and set "
        "settings_class, title and stochastic",
        DeprecationWarning,
        stacklevel=2,
    )
    members = {"settings_class": settings, "title": module.__name__, "stochastic": stochastic}
    return cast(type[Dynamics], type(module.__name__, (module, Dynamics), members))
