"""Training in the single-trajectory protocol, and model files."""

from .checkpoints import Model, ModelCard, load_model
from .loop import Trainer, training_parts
from .settings import TrainingSettings, read_settings

__all__ = [
    "Model",
    "ModelCard",
    "Trainer",
    "TrainingSettings",
    "load_model",
    "read_settings",
    "training_parts",
]
