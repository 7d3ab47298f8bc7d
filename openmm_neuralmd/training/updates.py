"""Updates of weights: gradient, learning rate, moving average, validation error; no files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from .settings import LoopSettings
from .state import Counters, copy_weights

if TYPE_CHECKING:
    from lightning_fabric import Fabric

VALIDATION_SEED = 2**40
"""Noise of the validation: the same in every epoch, so that epochs compare."""


class Items(Protocol):
    """Items that a training loop learns from, in batches."""

    def __len__(self) -> int: ...

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[list[Any]]:
        """Divide all items into batches; shuffled by the generator, in order without one."""

    def batch(self, items: Sequence[Any]) -> Any:
        """Tensors of some items."""

    def seen(self, items: Sequence[Any]) -> tuple[set[int], set[int]]:
        """Atomic numbers and residue types in some items."""


class Updates:
    """A model with what changes its weights.  All draws are functions of seed and update.

    Parameters
    ----------
    settings : LoopSettings
    model : Module
        Its `coefficients()` are the parameters that learn at a rate of their own.
    errors : Module
        The model with its objective: called with a batch and a generator, gives an error (B,) for
        each item.
    windows, validation : Items
    fabric : Fabric
        Devices and processes.
    """

    def __init__(
        self,
        settings: LoopSettings,
        model: nn.Module,
        errors: nn.Module,
        windows: Items,
        validation: Items,
        fabric: Fabric,
    ) -> None:
        self.settings: Any = settings
        self.model: Any = model
        self.windows, self.validation = windows, validation
        self.fabric = fabric
        self.average = copy_weights(model)
        self.counters = Counters()
        self.module, self.optimizer = self._set_up(errors)
        self.per_epoch = math.ceil(len(windows) / settings.batch_size)
        self.total = settings.epochs * self.per_epoch
        self._order: tuple[int, list[list[Any]]] | None = None

    def _set_up(self, errors: nn.Module) -> tuple[Any, Any]:
        settings, coefficients = self.settings, self.model.coefficients()
        weights = [p for p in self.model.parameters() if all(p is not c for c in coefficients)]
        groups = [
            {"params": weights, "scale": 1.0, "weight_decay": settings.weight_decay},
            {"params": coefficients, "scale": settings.coefficient_rate, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], fused=True)
        wrapped: tuple[Any, Any] = self.fabric.setup(errors, optimizer)
        return wrapped

    def update(self) -> float:
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
        return loss

    def _windows_of_update(self) -> list[Any]:
        """Windows of the present update: a function of seed and counters, the same everywhere."""
        settings, (epoch, position) = self.settings, divmod(self.counters.update, self.per_epoch)
        if self._order is None or self._order[0] != epoch:
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + epoch)
            self._order = epoch, self.windows.batches(settings.batch_size, generator)
        return self._order[1][position]

    def _gradient(self, windows: Sequence[Any]) -> float:
        """Accumulate the gradient of these windows' mean error; return it over all processes.

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
    def averaged(self) -> Iterator[None]:
        """Use the average weights inside the block."""
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
        with self.averaged(), torch.no_grad():
            for windows in self.validation.batches(self.settings.batch_size):
                share = windows[fabric.global_rank :: fabric.world_size]
                if share:
                    batch = fabric.to_device(self.validation.batch(share))
                    total = total + self.module(batch, generator).sum()
        summed: Tensor = fabric.all_reduce(total, reduce_op="sum")  # type: ignore[assignment]
        return float(summed) / len(self.validation)
