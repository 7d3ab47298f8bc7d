"""Progress bars with rate and ETA for everything that takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""

Advance = Callable[[int, str], None]
"""Called with how many units were done and a short note to show beside the bar."""


class RateColumn(ProgressColumn):
    """Units per second, or seconds per unit when slow."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """One cell."""
        speed = task.speed or 0.0
        if speed <= 0:
            return Text(f"- {self.unit}/s")
        if speed < 1:
            return Text(f"{1 / speed:.1f} s/{self.unit}")
        return Text(f"{speed:.1f} {self.unit}/s")


@contextmanager
def progress_bar(title: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs; without a terminal a line now and then.

    Parameters
    ----------
    title : str
        What is being done.
    total, done : int
        Units in all, and those that an earlier run already did.
    unit : str
        Name of a unit, for the rate.
    """
    # All of it fits into 80 columns, where rich would otherwise cut the numbers.
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        RateColumn(unit),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(title, total, unit, done)
        return
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, completed=done, note="")

        def advance(units: int, note: str = "") -> None:
            progress.update(task, advance=units, note=note)

        yield advance


class _Lines:
    """An `Advance` that writes a line every few seconds: for log files and batch jobs."""

    def __init__(self, title: str, total: int, unit: str, done: int) -> None:
        self.title, self.total, self.unit, self.done = title, total, unit, done
        self._first, self._began = done, time.monotonic()
        self._shown = self._began - LINE_EVERY

    def __call__(self, units: int, note: str = "") -> None:
        self.done += units
        now = time.monotonic()
        if now - self._shown < LINE_EVERY and self.done < self.total:
            return
        self._shown = now
        rate = (self.done - self._first) / max(now - self._began, 1e-9)
        left = f", {(self.total - self.done) / rate:.0f} s left" if rate > 0 else ""
        text = f"{self.title}: {self.done}/{self.total} {self.unit}{left} {note}".rstrip()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def silent(units: int, note: str = "") -> None:
    """An `Advance` that shows nothing."""


class Stopwatch:
    """Seconds of the parts of one piece of work, added up by name.

    Attributes
    ----------
    seconds : dict of str to float
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Time the block as (more of) a part, also where it raises."""
        began = time.perf_counter()
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            self.seconds[part] = self.seconds.get(part, 0.0) + taken
