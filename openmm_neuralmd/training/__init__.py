"""Training on one trajectory or many, and model files."""

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
