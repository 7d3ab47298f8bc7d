"""What a training run is: data, model, objective and schedule, as one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..dynamics.ode import NeuralODESettings
from ..settings_files import read_mapping, validated


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Settings):
    """Where the snapshots come from: a packaged example, or a topology with a trajectory.

    Attributes
    ----------
    example : str or None
        Name of a packaged example.
    topology, trajectory : Path or None
        Files of the user's own complex; relative paths count from the settings file.
    coordinates : Path or None
        Of an Amber prmtop: inpcrd, rst7 or PDB.
    sdf : Path or None
        The ligand's chemistry.
    ligand : str or None
        Residue name or chain:number; guessed when there is one candidate.
    interval : float or None
        ps between snapshots, where the trajectory does not say.
    boundaries : tuple of int or None
        First snapshot of each later replica, where the time stamps do not say.
    stride : int
        Take every stride-th snapshot.
    """

    example: str | None = None
    topology: Path | None = None
    trajectory: Path | None = None
    coordinates: Path | None = None
    sdf: Path | None = None
    ligand: str | None = None
    interval: float | None = Field(None, gt=0)
    boundaries: tuple[int, ...] | None = None
    stride: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _one_source(self) -> DataSettings:
        files = self.topology is not None and self.trajectory is not None
        if files == (self.example is not None):
            raise ValueError("data needs either 'example' or both 'topology' and 'trajectory'")
        return self


class ObjectiveSettings(_Settings):
    """Training objective.

    Attributes
    ----------
    kind : {'mae', 'rmse'}
        The paper's two objectives on coordinates.
    distance_weight : float
        Weight of the mean absolute error of the ligand's pair distances, which keeps the forecast
        a molecule: the best forecast of coordinates alone is a mean, and a mean structure has
        short bonds.
    """

    kind: Literal["mae", "rmse"] = "mae"
    distance_weight: float = Field(1.0, ge=0)


class TrainingSettings(_Settings):
    """One training run in the single-trajectory protocol (paper, 'one single trajectory').

    Attributes
    ----------
    name : str
        Name of the model.
    dynamics : str
        Which model to train.
    train_fraction : float
        Share of the snapshots, from the beginning, that training may see at all.
    validation_fraction : float
        Last share of that training part, held out of the gradient for early stopping.
    horizon, validation_horizon : int
        Snapshots ahead in a training window and in a validation window.
    history : int
        At most so many known snapshots before a window.
    epochs, patience : int
        At most so many epochs; stop after so many without a better validation error.
    coefficient_rate : float
        Learning rate of the coefficients γ, k, τ, in learning rates of the networks: they are a
        handful of numbers that have to move by their own size.
    batch_size, learning_rate, weight_decay, warmup, clip, ema
        Of the optimiser (AdamW, cosine schedule after `warmup` updates, gradient norm clipped,
        exponential moving average of the weights).
    seed : int
        Of the weights and of the order of the windows.
    temperature : float or None
        K, of the reference simulation, where known.
    """

    name: str = Field(min_length=1)
    data: DataSettings
    dynamics: Literal["neuralmd-ode"] = "neuralmd-ode"
    model: NeuralODESettings = NeuralODESettings()
    objective: ObjectiveSettings = ObjectiveSettings()
    train_fraction: float = Field(0.8, gt=0, lt=1)
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    horizon: int = Field(8, ge=1)
    validation_horizon: int = Field(16, ge=1)
    history: int = Field(64, ge=2)
    epochs: int = Field(40, ge=1)
    patience: int = Field(10, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    coefficient_rate: float = Field(20.0, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: int = Field(20, ge=0)
    clip: float = Field(1.0, gt=0)
    ema: float = Field(0.98, ge=0, lt=1)
    seed: int = Field(0, ge=0)
    temperature: float | None = Field(None, gt=0)


def read_settings(path: str | Path, overrides: dict[str, Any] | None = None) -> TrainingSettings:
    """Read a settings file.

    Parameters
    ----------
    path : path
        YAML.
    overrides : dict, optional
        Top-level values that replace the file's.

    Raises
    ------
    InputError
        With the file, the setting and what is wrong with it, in one line.
    """
    path = Path(path)
    content = read_mapping(path, "examples/train.yaml")
    content.update(overrides or {})
    data = content.get("data")
    if isinstance(data, dict):
        for key in ("topology", "trajectory", "coordinates", "sdf"):
            if data.get(key) is not None:
                data[key] = (path.parent / data[key]).resolve()
    return validated(TrainingSettings, content, str(path))
