"""Settings of a training run, as one YAML file: data, model, objective and schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..dynamics.registry import LEARNED
from ..utils.settings import read_mapping, validated

PATHS = ("topology", "trajectory", "coordinates", "sdf", "misato", "entries", "without")
"""The settings of data that are files."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(_Settings):
    """Source of the snapshots: a packaged example, a topology with a trajectory, or MISATO.

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
    hydrogens : bool
        Learn the ligand's hydrogens too; its heavy atoms alone by default.
    misato : Path or None
        A file in MISATO's layout: every entry of it is a trajectory, read when it is needed.
    entries, without : Path or None
        Files that name the entries to take (default: all), and those to leave out (peptides).
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
    hydrogens: bool = False
    misato: Path | None = None
    entries: Path | None = None
    without: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> DataSettings:
        files = self.topology is not None and self.trajectory is not None
        if files + (self.example is not None) + (self.misato is not None) != 1:
            raise ValueError(
                "data needs one of: 'example'; both 'topology' and 'trajectory'; 'misato'"
            )
        if self.misato is None and (self.entries or self.without) is not None:
            raise ValueError("'entries' and 'without' belong to 'misato'")
        if self.misato is not None and self.stride != 1:
            raise ValueError("'stride' is not offered for 'misato'")
        return self


class ObjectiveSettings(_Settings):
    """Training objective, see `objectives`.

    Attributes
    ----------
    kind : str
        'mae' or 'rmse' of one forecast, the paper's two; 'energy-score' for a dynamics that draws
        noise; 'denoising' for DenoisingLD; 'forecast+denoising' for CG-MD.
    distance_weight : float
        Weight of the error of the ligand's pair distances, which keeps the forecast a molecule: the
        best forecast of coordinates alone is a mean, and a mean structure has short bonds.
    step_weight : float
        Weight of the score of the steps between snapshots ('energy-score').
    samples : int
        Futures of each window ('energy-score').
    """

    kind: Literal["mae", "rmse", "energy-score", "denoising", "forecast+denoising"] = "mae"
    distance_weight: float = Field(1.0, ge=0)
    step_weight: float = Field(0.5, ge=0)
    samples: int = Field(4, ge=2)


class LoopSettings(_Settings):
    """Settings of a training that do not depend on what the model learns.

    Attributes
    ----------
    name : str
        Name of the model.
    epochs, patience : int
        At most so many epochs; stop after so many without a better validation error.
    coefficient_rate : float
        Learning rate of the coefficients γ, k, τ, in learning rates of the networks: they are a
        handful of numbers that have to move by their own size.
    batch_size : int
        Items in an update, over all processes together.
    accumulate : int
        Parts in which a process takes its items of an update: less memory, the same gradient.
    precision : {'32-true', 'bf16-mixed'}
        Of the arithmetic; weights and coordinates are single precision either way.
    learning_rate, weight_decay, warmup, clip, ema
        Of the optimiser (AdamW, cosine schedule after `warmup` updates, gradient norm clipped,
        exponential moving average of the weights).
    seed : int
        Of the weights and of the order of the items.
    temperature : float or None
        K, of the reference simulation, where known.
    """

    name: str = Field(min_length=1)
    epochs: int = Field(40, ge=1, le=10**6)
    patience: int = Field(10, ge=1)
    batch_size: int = Field(8, ge=1, le=2**20)
    accumulate: int = Field(1, ge=1)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    learning_rate: float = Field(1e-3, gt=0, lt=1e3)
    coefficient_rate: float = Field(20.0, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    warmup: int = Field(20, ge=0)
    clip: float = Field(1.0, gt=0)
    ema: float = Field(0.98, ge=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**63)
    temperature: float | None = Field(None, gt=0)


class TrainingSettings(LoopSettings):
    """One training run of a dynamics, on one trajectory or many; see `LoopSettings` too.

    Without `validation_data` the last part of each trajectory's training part is held out for early
    stopping (the paper's single-trajectory protocol); with it, the complexes named there are (the
    multi-trajectory protocol).

    Attributes
    ----------
    data, validation_data : tuple of DataSettings
        One mapping or a list of them.
    dynamics : str
        Which model to train.
    model : pydantic model
        Settings of that dynamics.
    train_fraction : float
        Share of the snapshots, from the beginning, that training may see at all.
    validation_fraction : float
        Last share of that training part, held out of the gradient for early stopping.
    horizon, validation_horizon : int
        Snapshots ahead in a training window and in a validation window.
    history : int
        At most so many known snapshots before a window.
    every : int
        Snapshots from one window to the next.
    keep : int
        Trajectories in memory at a time.

    Examples
    --------
    >>> from openmm_neuralmd.training import TrainingSettings
    >>> settings = TrainingSettings(name="short", data={"example": "gpcr-ergotamine"}, horizon=4)
    >>> settings.dynamics, settings.horizon, settings.train_fraction
    ('neuralmd-ode', 4, 0.8)
    """

    data: tuple[DataSettings, ...] = Field(min_length=1)
    validation_data: tuple[DataSettings, ...] = ()
    dynamics: str = "neuralmd-ode"
    model: SerializeAsAny[BaseModel] = Field(default_factory=dict, validate_default=True)
    objective: ObjectiveSettings = ObjectiveSettings()
    train_fraction: float = Field(0.8, gt=0, le=1)
    validation_fraction: float = Field(0.15, gt=0, lt=1)
    horizon: int = Field(8, ge=1, le=2**20)
    validation_horizon: int = Field(16, ge=1, le=2**20)
    history: int = Field(64, ge=2)
    every: int = Field(1, ge=1)
    keep: int = Field(64, ge=1)

    @field_validator("data", "validation_data", mode="before")
    @classmethod
    def _one_or_many(cls, data: object) -> object:
        return (data,) if isinstance(data, dict | DataSettings) else data

    @field_validator("dynamics")
    @classmethod
    def _known(cls, dynamics: str) -> str:
        if dynamics == "neuralmd-ou":
            raise ValueError("neuralmd-ou learns from runs of many complexes: give 'runs' (--runs)")
        if dynamics not in LEARNED:
            raise ValueError(f"unknown dynamics '{dynamics}'; choose one of: {', '.join(LEARNED)}")
        return dynamics

    @field_validator("model", mode="before")
    @classmethod
    def _of_the_dynamics(cls, model: object, info: ValidationInfo) -> object:
        kind = LEARNED.get(info.data.get("dynamics", ""))
        return kind.settings_class.model_validate(model) if kind is not None else model

    @model_validator(mode="before")
    @classmethod
    def _fitting_objective(cls, content: Any) -> Any:
        kind = LEARNED.get(content.get("dynamics", "")) if isinstance(content, dict) else None
        objective = content.get("objective", {}) if kind else None
        if kind is None or not kind.objectives or not isinstance(objective, dict):
            return content
        return {**content, "objective": {"kind": kind.objectives[0], **objective}}

    @model_validator(mode="after")
    def _objective_of_the_dynamics(self) -> TrainingSettings:
        fitting = LEARNED[self.dynamics].objectives
        if self.objective.kind not in fitting:
            raise ValueError(
                f"dynamics '{self.dynamics}' is not trained by '{self.objective.kind}' but by "
                f"{' or '.join(fitting)}"
            )
        return self


def read_settings(path: str | Path, overrides: dict[str, Any] | None = None) -> TrainingSettings:
    r"""Read a settings file.

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

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from openmm_neuralmd.training import read_settings
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "train.yaml"
    ...     _ = file.write_text("name: gpcr\ndata: {example: gpcr-ergotamine}\n")
    ...     settings = read_settings(file, {"epochs": 3})
    >>> settings.name, settings.dynamics, settings.epochs
    ('gpcr', 'neuralmd-ode', 3)
    """
    path = Path(path)
    content = read_mapping(path, "examples/train.yaml")
    content.update(overrides or {})
    for part in ("data", "validation_data"):
        given = content.get(part)
        for data in given if isinstance(given, list) else [given]:
            if isinstance(data, dict):
                _resolve(data, path.parent)
    return validated(TrainingSettings, content, str(path))


def _resolve(data: dict[str, Any], folder: Path) -> None:
    """Relative paths count from the settings file."""
    for key in PATHS:
        if data.get(key) is not None:
            data[key] = (folder / data[key]).resolve()
