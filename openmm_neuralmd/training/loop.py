"""The training loop: deterministic, interruptible at any moment, blind to the test part."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from ..bindingnet import ComplexTensors, complex_tensors
from ..dynamics.ode import NeuralODE
from ..errors import ModelError
from ..files import complete
from ..progress import Advance, silent
from ..provenance import package_versions
from ..trajectories import Snapshots
from .checkpoints import Model, ModelCard
from .objectives import objective
from .settings import TrainingSettings
from .state import Counters, copy_weights, load_state, save_state
from .windows import Batch, Windows

SAVE_EVERY = 25
"""Updates between two saved states: what a kill -9 can cost at most."""
MAX_SKIPPED = 10
"""Updates in a row with a gradient that is not finite, before training gives up."""


def training_parts(settings: TrainingSettings, snapshots: int) -> tuple[range, range, range]:
    """Snapshots for the gradient, for early stopping, and for the test that nobody looks at."""
    training = round(snapshots * settings.train_fraction)
    gradient = round(training * (1.0 - settings.validation_fraction))
    return range(gradient), range(gradient, training), range(training, snapshots)


class Trainer:
    """Trains one model on one trajectory.

    Parameters
    ----------
    settings : TrainingSettings
    snapshots : Snapshots
        All of them; only the training part is read.
    folder : Path
        Gets `state.safetensors`, `log.csv`, TensorBoard events and at the end `model.safetensors`.
        If a state of the same settings is there, training goes on from it.
    data : dict, optional
        Name and hash of the trajectory, for the model card.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        snapshots: Snapshots,
        folder: Path,
        data: dict[str, object] | None = None,
    ) -> None:
        self.settings = settings
        self.folder = Path(folder)
        self.data = data or {}
        self.snapshots = snapshots
        self.gradient_part, self.validation_part, _ = training_parts(settings, len(snapshots))
        seen = snapshots[: self.validation_part.stop]
        self.windows = Windows(seen, self.gradient_part, settings.horizon, settings.history)
        self.validation = Windows(
            seen, self.validation_part, settings.validation_horizon, settings.history
        )
        self.complex = complex_tensors(snapshots.complex)
        torch.manual_seed(settings.seed)
        self.model = NeuralODE(settings.model)
        self.average = copy_weights(self.model)
        self.best = copy_weights(self.model)
        coefficients = self.model.coefficients()
        weights = [p for p in self.model.parameters() if all(p is not c for c in coefficients)]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": weights, "scale": 1.0, "weight_decay": settings.weight_decay},
                {"params": coefficients, "scale": settings.coefficient_rate, "weight_decay": 0.0},
            ]
        )
        self.counters = Counters()
        self.per_epoch = math.ceil(len(self.windows) / settings.batch_size)
        self.total = settings.epochs * self.per_epoch
        if self.state_file.exists():
            self._restore()

    @property
    def state_file(self) -> Path:
        """Where an interrupted run goes on from."""
        return self.folder / "state.safetensors"

    def run(self, advance: Advance = silent) -> Model:
        """Train to the end and write `model.safetensors` (the best average weights).

        Parameters
        ----------
        advance : callable
            Told about every update, with losses as a note.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        first = self.counters.update
        with SummaryWriter(str(self.folder / "tensorboard"), purge_step=first) as board:
            while self.counters.update < self.total and not self._patience_lost():
                loss = self._update()
                advance(1, self._note(loss))
                if self.counters.update % self.per_epoch == 0:
                    self._end_epoch(board)
                elif self.counters.update % SAVE_EVERY == 0:
                    self._save()
        return self._finish()

    def _patience_lost(self) -> bool:
        """Whether the validation error has not fallen for `patience` whole epochs."""
        counters = self.counters
        at_epoch_end = counters.update % self.per_epoch == 0
        epoch = counters.update // self.per_epoch - 1
        return at_epoch_end and epoch - counters.best_epoch >= self.settings.patience

    def _note(self, loss: float) -> str:
        best = self.counters.best
        shown = "" if math.isinf(best) else f" best {best:.3f}"
        return f"loss {loss:.3f}{shown}"

    def _update(self) -> float:
        """One optimiser update; skipped when its gradient is not finite."""
        settings, counters = self.settings, self.counters
        epoch, position = divmod(counters.update, self.per_epoch)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
        indices = self.windows.batches(settings.batch_size, generator)[position]
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate() * group["scale"]
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.windows.batch(indices))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip)
        counters.update += 1
        if bool(torch.isfinite(norm)) and bool(torch.isfinite(loss)):
            self.optimizer.step()
            self._follow()
            counters.skipped = 0
            counters.running += float(loss.detach())
        else:
            counters.skipped += 1
            if counters.skipped >= MAX_SKIPPED:
                raise ModelError(
                    f"{self.folder}: {MAX_SKIPPED} updates in a row had no finite gradient at "
                    f"update {counters.update}; the last good state is kept: lower learning_rate "
                    "or horizon"
                )
        return float(loss.detach())

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine to zero: a function of the update, nothing to store."""
        settings, update = self.settings, self.counters.update
        if update < settings.warmup:
            return settings.learning_rate * (update + 1) / settings.warmup
        done = (update - settings.warmup) / max(1, self.total - settings.warmup)
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def _loss(self, batch: Batch) -> Tensor:
        complex: ComplexTensors = self.complex
        size = batch.known.shape[0]
        # The protein is encoded once for the batch; expanding copies nothing.
        protein = self.model.encode(complex)
        protein = type(protein)(*(t.expand(size, *t.shape[1:]) for t in protein))
        wide = complex.expand(size)
        state = self.model.start(wide, batch.known, batch.valid)
        prediction = self.model.integrate(wide, protein, state, batch.target.shape[1])[0]
        return objective(self.settings.objective, prediction, batch.target)

    def _follow(self) -> None:
        """Exponential moving average of the weights; short at the beginning."""
        decay = min(self.settings.ema, (1 + self.counters.update) / (10 + self.counters.update))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                self.average[key].lerp_(value, 1.0 - decay)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model with its average weights, for the time of the block."""
        present = copy_weights(self.model)
        self.model.load_state_dict(self.average)
        self.model.eval()
        try:
            yield
        finally:
            self.model.load_state_dict(present)

    def validation_error(self) -> float:
        """Objective of the average weights on the validation slice."""
        with self._averaged(), torch.no_grad():
            batches = self.validation.batches(self.settings.batch_size)
            losses = [float(self._loss(self.validation.batch(b))) * len(b) for b in batches]
        return sum(losses) / len(self.validation)

    def _end_epoch(self, board: SummaryWriter) -> None:
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
            "friction": float(self.model.friction.detach()),
        }
        counters.running = 0.0
        counters.history.append(row)
        for key in ("loss", "validation", "friction"):
            board.add_scalar(key, row[key], counters.update)
        # The log is written whole from the state, so a resumed run has every epoch once.
        with complete(self.folder / "log.csv") as temporary, temporary.open("w") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            writer.writeheader()
            writer.writerows(counters.history)
        self._save()

    @property
    def _identity(self) -> str:
        """JSON of what a run is: it resumes only the same settings on the same data."""
        return json.dumps({**self.settings.model_dump(mode="json"), "trajectory": self.data})

    def _save(self) -> None:
        weights = {"model": self.model.state_dict(), "average": self.average, "best": self.best}
        save_state(self.state_file, self._identity, self.counters, weights, self.optimizer)

    def _restore(self) -> None:
        self.counters, weights = load_state(self.state_file, self._identity, self.optimizer)
        self.model.load_state_dict(weights["model"])
        self.average, self.best = weights["average"], weights["best"]

    def _finish(self) -> Model:
        """The best average weights as a model file."""
        if math.isinf(self.counters.best):
            raise ModelError(
                f"{self.folder}: no validation error was finite; lower learning_rate or horizon"
            )
        self.model.load_state_dict(self.best)
        settings, complex = self.settings, self.snapshots.complex
        numbers = complex.ligand_atomic_numbers[complex.heavy]
        card = ModelCard(
            name=settings.name,
            kind=settings.dynamics,
            settings=settings.model.model_dump(mode="json"),
            interval_ps=self.snapshots.interval_ps,
            temperature_K=settings.temperature,
            elements=sorted(set(numbers.tolist())),
            residue_types=sorted(set(complex.residue_types.tolist())),
            data=[{**self.data, "training_snapshots": [0, self.validation_part.stop]}],
            training=settings.model_dump(mode="json", exclude={"model", "name", "data"}),
            metrics={"validation": self.counters.best, "epoch": float(self.counters.best_epoch)},
            versions=package_versions(),
        )
        return Model(self.model.eval(), card).save(self.folder / "model.safetensors")
