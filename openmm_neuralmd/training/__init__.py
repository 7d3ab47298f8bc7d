"""Training on one trajectory or many, and model files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..utils.lazy import at_first_use

if TYPE_CHECKING:
    from ..model import Model, ModelCard, load_model
    from .devices import make_fabric
    from .forecasting import Trainer, training_parts
    from .settings import TrainingSettings, read_settings
    from .windows import Trajectory

__all__ = [
    "Model",
    "ModelCard",
    "Trainer",
    "TrainingSettings",
    "Trajectory",
    "load_model",
    "make_fabric",
    "read_settings",
    "training_parts",
]

# The loop and the readers of trajectories are not needed to predict with a model.
__getattr__ = at_first_use(
    __name__,
    {
        "Model": "..model",
        "ModelCard": "..model",
        "Trainer": ".forecasting",
        "TrainingSettings": ".settings",
        "Trajectory": ".windows",
        "load_model": "..model",
        "make_fabric": ".devices",
        "read_settings": ".settings",
        "training_parts": ".forecasting",
    },
)
