"""The training loop: deterministic, interruptible at any moment, blind to the test part."""

from __future__ import annotations

import csv
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ..errors import ModelError
from ..model import Model, ModelCard
from ..utils.files import complete
from ..utils.lock import Lock
from ..utils.optional import installed
from ..utils.progress import Advance, silent
from .devices import make_fabric
from .settings import LoopSettings
from .state import copy_weights, load_state, save_state
from .updates import Items, Updates

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.utils.tensorboard import SummaryWriter

MAX_SKIPPED = 10
"""Updates in a row with a gradient that is not finite, before training gives up."""
SAVE_EVERY = 25
"""Updates between two saved states: what a kill -9 can cost at most."""


class Loop(Updates, ABC):
    """Training loop of one model; subclasses define the model and its data.

    Parameters
    ----------
    settings : LoopSettings
    folder : Path
        Gets `state.safetensors`, `log.csv`, TensorBoard events, and after every epoch
        `model.safetensors` (the best average weights so far) and `last.safetensors`.  If a state of
        the same settings is there, training goes on from it.
    model : Module
        Its `coefficients()` are the parameters that learn at a rate of their own.
    errors : Module
        The model with its objective: called with a batch and a generator, gives an error (B,) for
        each item.
    windows, validation : Items
    data : list of dict
        What identifies the data, for the model card and for resuming.
    fabric : Fabric, optional
        Devices and processes; one process on the CPU by default.
    """

    def __init__(
        self,
        settings: LoopSettings,
        folder: Path,
        model: nn.Module,
        errors: nn.Module,
        windows: Items,
        validation: Items,
        data: list[dict[str, Any]],
        fabric: Fabric | None = None,
    ) -> None:
        fabric = fabric or make_fabric(settings)
        super().__init__(settings, model, errors, windows, validation, fabric)
        self.folder = Path(folder)
        self.data = data
        self.best = copy_weights(model)
        if self.state_file.exists():
            self._restore()

    @abstractmethod
    def card(self) -> ModelCard:
        """Return a model card for the current weights."""

    @property
    def state_file(self) -> Path:
        """Path of the state from which an interrupted run continues."""
        return self.folder / "state.safetensors"

    def run(self, advance: Advance = silent) -> Model:
        """Train to the end and write `model.safetensors` (the best average weights).

        Parameters
        ----------
        advance : callable
            Told about every update, with losses as a note.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.fabric.is_global_zero:
            return self._run(advance)
        lock = Lock(self.folder, ".lock")
        try:
            return self._run(advance)
        finally:
            lock.release()

    def _run(self, advance: Advance) -> Model:
        first = self.counters.update
        if math.isinf(self.counters.untrained):
            self.counters.untrained = self.validation_error()
            # Before any other file: a folder of files without a state is not gone on from.
            self._save()
        with self._board(first) as board:
            while self.counters.update < self.total and not self._patience_lost():
                loss = self._guarded_update()
                advance(1, self._note(loss))
                if self.counters.update % self.per_epoch == 0:
                    self._end_epoch(board)
                elif self.counters.update % SAVE_EVERY == 0:
                    self._save()
        return self._finish()

    @contextmanager
    def _board(self, first: int) -> Iterator[SummaryWriter | None]:
        """Yield the TensorBoard log of the first process; None without TensorBoard or elsewhere."""
        if not self.fabric.is_global_zero or not installed("tensorboard"):
            yield None
            return
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=first) as board:
            yield board

    def _patience_lost(self) -> bool:
        """Test whether the validation error has not fallen for `patience` whole epochs."""
        counters = self.counters
        at_epoch_end = counters.update % self.per_epoch == 0
        epoch = counters.update // self.per_epoch - 1
        return at_epoch_end and epoch - counters.best_epoch >= self.settings.patience

    def _note(self, loss: float) -> str:
        best = self.counters.best
        shown = "" if math.isinf(best) else f" best {best:.3f}"
        return f"loss {loss:.3f}{shown}"

    def _guarded_update(self) -> float:
        """One update; too many without a finite gradient end the training.

        Raises
        ------
        ModelError
        """
        loss = self.update()
        if self.counters.skipped >= MAX_SKIPPED:
            raise ModelError(
                f"{self.folder}: {MAX_SKIPPED} updates in a row had no finite gradient at "
                f"update {self.counters.update}; the last good state is kept: lower learning_rate "
                "or horizon"
            )
        return loss

    def _end_epoch(self, board: SummaryWriter | None) -> None:
        counters = self.counters
        epoch = counters.update // self.per_epoch - 1
        error = self.validation_error()
        if error < counters.best:
            counters.best, counters.best_epoch = error, epoch
            self.best = {key: value.clone() for key, value in self.average.items()}
        row = {
            "epoch": epoch,
            "update": counters.update,
            "loss": counters.running / self.per_epoch,
            "validation": error,
        }
        counters.running = 0.0
        counters.history.append(row)
        if board is not None:
            for key in ("loss", "validation"):
                board.add_scalar(key, row[key], counters.update)
        if self.fabric.is_global_zero:
            # The log is written whole from the state, so a resumed run has every epoch once.
            with complete(self.folder / "log.csv") as temporary, temporary.open("w") as file:
                writer = csv.DictWriter(file, fieldnames=list(row))
                writer.writeheader()
                writer.writerows(counters.history)
            with self.averaged():
                self._model().save(self.folder / "last.safetensors")
        self._save()

    @property
    def _identity(self) -> str:
        """JSON of what a run is: it resumes only the same settings on the same data."""
        return json.dumps({**self.settings.model_dump(mode="json"), "trajectories": self.data})

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            weights = {"model": self.model.state_dict(), "average": self.average, "best": self.best}
            save_state(self.state_file, self._identity, self.counters, weights, self.optimizer)
        self.fabric.barrier()

    def _restore(self) -> None:
        self.counters, weights = load_state(self.state_file, self._identity, self.optimizer)
        self.model.load_state_dict(weights["model"])
        device = self.fabric.device
        self.average, self.best = (
            {key: value.to(device) for key, value in weights[kind].items()}
            for kind in ("average", "best")
        )

    def _finish(self) -> Model:
        """The best average weights as a model file."""
        if math.isinf(self.counters.best):
            raise ModelError(
                f"{self.folder}: no validation error was finite; lower learning_rate or horizon"
            )
        self.model.load_state_dict(self.best)
        model = self._model()
        self.model.eval()
        path = self.folder / "model.safetensors"
        return model.save(path) if self.fabric.is_global_zero else model

    def _model(self) -> Model:
        """The present weights with their card."""
        return Model(self.model, self.card())
