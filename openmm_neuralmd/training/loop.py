"""The training loop: deterministic, interruptible at any moment, blind to the test part."""

from __future__ import annotations

import csv
import json
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..errors import ModelError
from ..model import Model, ModelCard
from ..utils.files import complete
from ..utils.lock import Lock
from ..utils.optional import installed, optional_import
from ..utils.progress import Advance, silent
from .settings import LoopSettings
from .state import (
    Counters,
    copy_weights,
    load_state,
    save_state,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from torch.utils.tensorboard import SummaryWriter

SAVE_EVERY = 25
"""Updates between two saved states: what a kill -9 can cost at most."""
MAX_SKIPPED = 10
"""Updates in a row with a gradient that is not finite, before training gives up."""
VALIDATION_SEED = 2**40
"""Noise of the validation: the same in every epoch, so that epochs compare."""


class Items(Protocol):
    """What a loop learns from: things that become batches."""

    def __len__(self) -> int: ...

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[list[Any]]:
        """All of them in batches; shuffled by the generator, in order without one."""

    def batch(self, items: Sequence[Any]) -> Any:
        """Tensors of some of them."""

    def seen(self, items: Sequence[Any]) -> tuple[set[int], set[int]]:
        """Atomic numbers and residue types in them."""


class Loop(ABC):
    """Trains one model; what it is and what it learns from is the subclass's.

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
        self.settings: Any = settings
        self.folder = Path(folder)
        self.model: Any = model
        self.windows, self.validation = windows, validation
        self.data = data
        self.fabric = fabric or make_fabric(settings)
        self.average = copy_weights(model)
        self.best = copy_weights(model)
        self.counters = Counters()
        self.module, self.optimizer = self._set_up(errors)
        self.per_epoch = math.ceil(len(windows) / settings.batch_size)
        self.total = settings.epochs * self.per_epoch
        if self.state_file.exists():
            self._restore()

    @abstractmethod
    def card(self) -> ModelCard:
        """Return a model card for the current weights."""

    def _set_up(self, errors: nn.Module) -> tuple[Any, Any]:
        settings, coefficients = self.settings, self.model.coefficients()
        weights = [p for p in self.model.parameters() if all(p is not c for c in coefficients)]
        groups = [
            {"params": weights, "scale": 1.0, "weight_decay": settings.weight_decay},
            {"params": coefficients, "scale": settings.coefficient_rate, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        wrapped: tuple[Any, Any] = self.fabric.setup(errors, optimizer)
        return wrapped

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
                loss = self._update()
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
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate() * group["scale"]
        self.module.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._gradient(self._windows_of_update())
        norm = self.fabric.clip_gradients(
            self.module, self.optimizer, max_norm=settings.clip, error_if_nonfinite=False
        )
        assert norm is not None
        counters.update += 1
        if bool(torch.isfinite(norm)) and math.isfinite(loss):
            self.optimizer.step()
            self._follow()
            counters.skipped = 0
            counters.running += loss
        else:
            counters.skipped += 1
            if counters.skipped >= MAX_SKIPPED:
                raise ModelError(
                    f"{self.folder}: {MAX_SKIPPED} updates in a row had no finite gradient at "
                    f"update {counters.update}; the last good state is kept: lower learning_rate "
                    "or horizon"
                )
        return loss

    def _windows_of_update(self) -> list[Any]:
        """The same in every process: a function of seed, epoch and place, nothing to store."""
        settings, (epoch, position) = self.settings, divmod(self.counters.update, self.per_epoch)
        if self._order is None or self._order[0] != epoch:
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
            self._order = epoch, self.windows.batches(settings.batch_size, generator)
        return self._order[1][position]

    _order: tuple[int, list[list[Any]]] | None = None

    def _gradient(self, windows: Sequence[Any]) -> float:
        """Add up the gradient of the mean error of these windows; that error over all processes.

        Each process takes its share, in `accumulate` parts.  Weights make the sum over parts and
        the mean over processes exactly the mean over windows.
        """
        settings, fabric = self.settings, self.fabric
        share = list(windows[fabric.global_rank :: fabric.world_size])
        size = math.ceil(len(share) / settings.accumulate) or 1
        # A process without a window still takes part in the exchange, with weight 0.
        parts = [share[i : i + size] for i in range(0, len(share), size)] or [[windows[0]]]
        total = torch.zeros((), device=fabric.device)
        for number, part in enumerate(parts):
            weight = fabric.world_size / len(windows) if share else 0.0
            seed = settings.seed * 1_000_003 + self.counters.update
            generator = torch.Generator().manual_seed(
                (seed * fabric.world_size + fabric.global_rank) * len(parts) + number
            )
            more = number + 1 < len(parts)
            with fabric.no_backward_sync(self.module, enabled=more):
                errors = self.module(fabric.to_device(self.windows.batch(part)), generator)
                loss = weight * errors.sum()
                fabric.backward(loss)
            total = total + loss.detach()
        self._see(windows)
        return float(fabric.all_reduce(total, reduce_op="mean"))  # type: ignore[arg-type]

    def _see(self, windows: Sequence[Any]) -> None:
        """Note the elements and residue types that the gradient has come from."""
        counters = self.counters
        if counters.update >= self.per_epoch:
            return  # the first epoch has seen every trajectory
        elements, residues = self.windows.seen(windows)
        counters.elements = sorted(elements.union(counters.elements))
        counters.residue_types = sorted(residues.union(counters.residue_types))

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine to zero: a function of the update, nothing to store."""
        settings, update = self.settings, self.counters.update
        if update < settings.warmup:
            return settings.learning_rate * (update + 1) / settings.warmup
        done = (update - settings.warmup) / max(1, self.total - settings.warmup)
        return settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * done))

    def _follow(self) -> None:
        """Exponential moving average of the weights; short at the beginning."""
        decay = min(self.settings.ema, (1 + self.counters.update) / (10 + self.counters.update))
        with torch.no_grad():
            for key, value in self.model.named_parameters():
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
        """Mean objective of the average weights over the validation windows."""
        fabric = self.fabric
        generator = torch.Generator().manual_seed(VALIDATION_SEED + fabric.global_rank)
        total = torch.zeros((), device=fabric.device)
        with self._averaged(), torch.no_grad():
            for windows in self.validation.batches(self.settings.batch_size):
                share = windows[fabric.global_rank :: fabric.world_size]
                if share:
                    batch = fabric.to_device(self.validation.batch(share))
                    total = total + self.module(batch, generator).sum()
        summed: Tensor = fabric.all_reduce(total, reduce_op="sum")  # type: ignore[assignment]
        return float(summed) / len(self.validation)

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
            with self._averaged():
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


def make_fabric(settings: LoopSettings, accelerator: str = "cpu", devices: int | str = 1) -> Fabric:
    """Launch the devices and processes of a training run; `torchrun` sets them by itself.

    Parameters
    ----------
    accelerator : str
        'cpu', 'cuda' or 'auto'.
    devices : int or str
        In each machine; under `torchrun` the number of its processes.
    """
    lightning = optional_import("lightning_fabric", extra="train", purpose="training")
    with warnings.catch_warnings():
        # Lightning advises srun wherever SLURM is installed.
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        fabric: Fabric = lightning.Fabric(
            accelerator=accelerator, devices=devices, precision=settings.precision
        )
    fabric.launch()
    return fabric
