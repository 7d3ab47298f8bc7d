"""Training a dynamics to forecast: windows of trajectories, blind to the test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..dynamics.registry import LEARNED
from ..model import ModelCard
from ..utils.provenance import package_versions
from .loop import Loop
from .objectives import WindowErrors
from .settings import TrainingSettings
from .windows import Trajectory, Windows

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def training_parts(settings: TrainingSettings, snapshots: int) -> tuple[range, range, range]:
    """Snapshots for the gradient, for early stopping, and for the test that nobody looks at.

    With validation data of its own a trajectory's training part is all for the gradient.

    Examples
    --------
    >>> from openmm_neuralmd.training import TrainingSettings, training_parts
    >>> settings = TrainingSettings(name="gpcr", data={"example": "gpcr-ergotamine"})
    >>> training_parts(settings, 250)
    (range(0, 170), range(170, 200), range(200, 250))
    """
    training = round(snapshots * settings.train_fraction)
    held_out = 0.0 if settings.validation_data else settings.validation_fraction
    gradient = round(training * (1.0 - held_out))
    return range(gradient), range(gradient, training), range(training, snapshots)


class Trainer(Loop):
    """Trains one dynamics on one trajectory or many.

    Parameters
    ----------
    settings : TrainingSettings
    trajectories : sequence of Trajectory
        All their snapshots; only the training part is read.
    folder : Path
        See `Loop`.
    validation : sequence of Trajectory
        Those of `validation_data`.
    fabric : Fabric, optional

    Examples
    --------
    >>> from openmm_neuralmd import example
    >>> from openmm_neuralmd.training import Trainer, TrainingSettings, Trajectory
    >>> network = {"hidden": 16, "ligand_layers": 1, "vector_channels": 4, "num_radial": 8}
    >>> settings = TrainingSettings(
    ...     name="short",
    ...     data={"example": "gpcr-ergotamine"},
    ...     model={"network": network},
    ...     epochs=1,
    ...     every=40,
    ... )
    >>> trainer = Trainer(settings, [Trajectory.of(example("gpcr-ergotamine"))], scratch / "short")
    >>> model = trainer.run()
    >>> model.card.name, (scratch / "short" / "model.safetensors").exists()
    ('short', True)
    """

    def __init__(
        self,
        settings: TrainingSettings,
        trajectories: Sequence[Trajectory],
        folder: Path,
        validation: Sequence[Trajectory] = (),
        fabric: Fabric | None = None,
    ) -> None:
        self.trajectories = list(trajectories)
        self.held_out = list(validation)
        self.parts = [training_parts(settings, len(t)) for t in self.trajectories]
        gradient = [part[0] for part in self.parts]
        shared = settings.history, settings.keep, settings.every
        windows = Windows(self.trajectories, gradient, settings.horizon, *shared)
        others = self.held_out or self.trajectories
        parts = [range(len(t)) for t in others] if self.held_out else [p[1] for p in self.parts]
        held_out = Windows(
            others, parts, settings.validation_horizon, *shared, setting="validation_horizon"
        )
        torch.manual_seed(settings.seed)
        model: Any = LEARNED[settings.dynamics](settings.model)
        errors = WindowErrors(model, settings.objective)
        data = [t.identity for t in (*self.trajectories, *self.held_out)]
        super().__init__(settings, folder, model, errors, windows, held_out, data, fabric)

    def card(self) -> ModelCard:
        """Return a model card for the current weights."""
        settings, counters = self.settings, self.counters
        data = [
            {**t.identity, "training_snapshots": [0, part[1].stop]}
            for t, part in zip(self.trajectories, self.parts, strict=True)
        ]
        return ModelCard(
            name=settings.name,
            kind=settings.dynamics,
            settings=settings.model.model_dump(mode="json"),
            interval_ps=self.trajectories[0].interval_ps,
            temperature_K=settings.temperature,
            elements=counters.elements,
            residue_types=counters.residue_types,
            data=data,
            training=settings.model_dump(
                mode="json", exclude={"model", "name", "data", "validation_data"}
            ),
            metrics={"validation": counters.best, "epoch": float(counters.best_epoch)},
            versions=package_versions(),
        )
