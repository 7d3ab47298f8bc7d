"""Tasks of a worker: prepare a complex, or run it.  A failure is returned, not raised."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DISK_FULL, NeuralMDError, one_line, system_error
from ..md.engines import ENGINES
from ..md.folder import ComplexFolder
from ..md.outcome import RECORD
from ..md.settings import MDSettings
from ..prepare.pipeline import prepare
from ..prepare.settings import PrepareSettings
from ..utils.files import complete
from .cluster import dask

TOPIC = "neuralmd-progress"
SAY_EVERY = 1.0  # seconds


@dataclass(frozen=True)
class Outcome:
    """Outcome of a task.

    Attributes
    ----------
    task : str
        TARGET/complex or TARGET/RUN.
    state : 'done', 'there already', 'failed' or 'not tried'
    why : str
        One line; empty where it went well.
    seconds : float
    """

    task: str
    state: str
    why: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """True if the task's folder is complete."""
        return self.state in ("done", "there already")


@dataclass(frozen=True)
class Preparation:
    """A complex folder to make, from files."""

    task: str
    output: Path
    protein: Path
    ligand: Path
    molecule: str | None
    settings: PrepareSettings

    def do(self) -> Outcome:
        """Prepare the complex folder, unless it is complete."""
        if self.output.exists():
            ComplexFolder.open(self.output)
            return Outcome(self.task, "there already")
        name = self.output.parent.name
        prepare(
            self.protein,
            self.ligand,
            self.output,
            molecule=self.molecule,
            name=name,
            settings=self.settings,
        )
        return Outcome(self.task, "done")


@dataclass(frozen=True)
class Existing:
    """A complex folder that somebody made."""

    task: str
    output: Path

    def do(self) -> Outcome:
        """Check that the complex folder is complete."""
        ComplexFolder.open(self.output)
        return Outcome(self.task, "there already")


@dataclass(frozen=True)
class Run:
    """A reference run to make or to go on with."""

    task: str
    complex: Path
    output: Path
    engine: str
    time_ps: float
    settings: MDSettings
    snapshots: int
    checkpoint_seconds: float

    def do(self) -> Outcome:
        """Run the simulation, unless it is complete."""
        say = _Reporter(self.task)
        if (self.output / RECORD).is_file():
            say(self.snapshots, "")
            say.flush()
            return Outcome(self.task, "there already")
        run = ENGINES[self.engine].run
        run(
            self.complex,
            self.output,
            self.time_ps,
            settings=self.settings,
            checkpoint_seconds=self.checkpoint_seconds,
            progress=say,
        )
        say.flush()
        return Outcome(self.task, "done")


Task = Preparation | Existing | Run


def carry_out(task: Task, log: Path, before: Outcome | None = None) -> Outcome:
    """Do a task on a worker.

    Parameters
    ----------
    task : Task
    log : Path
        Folder for the traceback of what is not an error of the input.
    before : Outcome, optional
        Of the task that this one needs.
    """
    if before is not None and not before.ok:
        return Outcome(task.task, "not tried", f"{before.task} failed")
    began = time.perf_counter()
    try:
        ended = task.do()
    except NeuralMDError as error:
        ended = Outcome(task.task, "failed", " ".join(str(error).split()))
    except Exception as error:
        file = log / f"{task.task.replace('/', '-')}.txt"
        ended = Outcome(task.task, "failed", accident(error, file))
    return Outcome(ended.task, ended.state, ended.why, time.perf_counter() - began)


def accident(error: Exception, file: Path) -> str:
    """Explain an unexpected error; a file gets the traceback if there is space for it."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return system_error(error)
    with complete(file) as temporary:
        temporary.write_text("".join(traceback.format_exception(error)))
    return f"unexpected {type(error).__name__}: {one_line(error)}; see {file}"


class _Reporter:
    """Reporter of progress to the client, at most once a second."""

    def __init__(self, task: str) -> None:
        self.task, self._units, self._told = task, 0, 0.0
        self._send: Callable[[str, object], None] = dask().get_worker().log_event

    def __call__(self, units: int, note: str = "") -> None:
        self._units += units
        if time.monotonic() - self._told > SAY_EVERY:
            self.flush()

    def flush(self) -> None:
        """Report at once."""
        self._send(TOPIC, {"units": self._units, "note": self.task})
        self._units, self._told = 0, time.monotonic()
