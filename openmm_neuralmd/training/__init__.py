"""Training on one trajectory or many, and model files."""

from .checkpoints import Model, ModelCard, load_model
from .loop import Trainer, make_fabric, training_parts
from .settings import TrainingSettings, read_settings
from .trajectory import Trajectory

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
