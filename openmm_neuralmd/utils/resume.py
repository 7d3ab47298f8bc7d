"""An unfinished run on disk: files that only grow, and a checkpoint that knows their lengths."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import openmm
from openmm import app

from ..errors import InputError, SimulationError
from .files import complete


class PartialRun:
    """The hidden folder '.NAME.partial' of a run, with 'run' in it, which becomes the output.

    Parameters
    ----------
    output : Path
        Final name of the folder.
    identity : str
        Hash of everything that decides the trajectory; another run's folder is refused.

    Raises
    ------
    InputError
    """

    def __init__(self, output: Path, identity: str) -> None:
        self.output = output
        self.folder = partial_folder(output)
        self.run = self.folder / "run"
        self.checkpoint = self.folder / "checkpoint.npz"
        self.run.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.folder)
        mark = self.folder / "identity"
        if not mark.is_file():
            with complete(mark) as temporary:
                temporary.write_text(identity)
        elif mark.read_text() != identity:
            raise InputError(
                f"{self.folder} holds an interrupted run of another complex or with other settings;"
                " finish that one, or remove the folder to start anew"
            )

    @property
    def started(self) -> bool:
        """Whether there are snapshots to continue from."""
        return self.checkpoint.is_file() and any(self.run.iterdir())

    def resume(self, load: Callable[[bytes], None]) -> int:
        """Have the last checkpoint loaded; how many snapshots it stands for (0: none).

        What the files hold beyond it is cut off.
        """
        if not self.started:
            shutil.rmtree(self.run)
            self.run.mkdir()
            return 0
        with np.load(self.checkpoint, allow_pickle=False) as saved:
            done = int(saved["done"])
            lengths = dict(zip(saved["files"].tolist(), saved["lengths"].tolist(), strict=True))
            try:
                load(saved["context"].tobytes())
            except openmm.OpenMMException as error:
                raise InputError(
                    f"{self.checkpoint} is of another platform or OpenMM version ({error}); "
                    "remove its folder to start anew"
                ) from error
        for name, length in lengths.items():
            os.truncate(self.folder / name, length)
            if name.endswith(".dcd"):
                _set_dcd_length(self.folder / name, done)
        return done

    def commit(self, checkpoint: bytes, done: int, files: Iterable[Path]) -> None:
        """Make the first `done` snapshots, which are in `files`, survive a kill -9."""
        lengths = {str(file.relative_to(self.folder)): _on_disk(file) for file in files}
        with complete(self.checkpoint) as temporary:
            np.savez(
                temporary,
                done=done,
                files=np.array(list(lengths)),
                lengths=np.array(list(lengths.values()), dtype=np.int64),
                context=np.frombuffer(checkpoint, dtype=np.uint8),
            )

    def publish(self) -> None:
        """Give the run its final name."""
        self.run.rename(self.output)
        shutil.rmtree(self.folder)


def _locked(folder: Path) -> IO[bytes]:
    """A lock that the operating system lifts when this process ends, however it ends.

    It is the process's, not the object's: a run that was interrupted in a notebook can go on there.
    """
    file = (folder / "lock").open("ab")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise InputError(f"{folder}: another process is working on this run") from error
    return file


def partial_folder(output: Path) -> Path:
    """Where a run lives until it is complete."""
    return output.with_name(f".{output.name}.partial")


def _on_disk(path: Path) -> int:
    """Length in bytes, after everything written has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return file.seek(0, os.SEEK_END)


def _set_dcd_length(path: Path, snapshots: int) -> None:
    """The header's number of snapshots and last step."""
    with path.open("r+b") as file:
        for offset in (8, 20):
            file.seek(offset)
            file.write(struct.pack("<i", snapshots))


class PartialTrajectory:
    """The hidden folder '.NAME.partial' of a run.

    Parameters
    ----------
    output : Path
        Final name of the trajectory.
    interval_ps : float
        Between snapshots.
    identity : str
        Hash of everything that decides the trajectory; a checkpoint of another run is refused.
    """

    def __init__(
        self, output: Path, topology: app.Topology, interval_ps: float, identity: str
    ) -> None:
        self.folder = output.with_name(f".{output.stem}.partial")
        self.trajectory = self.folder / "trajectory.dcd"
        self.checkpoint = self.folder / "checkpoint.npz"
        self.topology = topology
        self.interval_ps = interval_ps
        self.identity = identity
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def started(self) -> bool:
        """Whether there is something to continue."""
        return self.checkpoint.is_file() and self.trajectory.is_file()

    def resume(self, context: openmm.Context) -> int:
        """Load the last checkpoint into a Context; how many snapshots it stands for (0: none).

        What the trajectory holds beyond it is cut off.
        """
        if not self.started:
            return 0
        with np.load(self.checkpoint, allow_pickle=False) as saved:
            if str(saved["identity"]) != self.identity:
                raise InputError(
                    f"{self.folder} holds an interrupted run with another model, complex, start or "
                    "settings; finish that one, or remove the folder to start anew"
                )
            done, size = int(saved["done"]), int(saved["size"])
            try:
                context.loadCheckpoint(saved["context"].tobytes())
            except openmm.OpenMMException as error:
                raise InputError(
                    f"{self.checkpoint} is of another platform or OpenMM version ({error}); "
                    "remove its folder to start anew"
                ) from error
        with self.trajectory.open("r+b") as file:
            file.truncate(size)
            for offset in (8, 20):  # number of snapshots, last step
                file.seek(offset)
                file.write(struct.pack("<i", done))
        return done

    @contextmanager
    def open(self) -> Iterator[app.DCDFile]:
        """The trajectory, to be continued where there is a checkpoint.

        A SimulationError that ends the block says where the good snapshots are.
        """
        mode = "r+b" if self.started else "w+b"
        with self.trajectory.open(mode) as file:
            dcd = app.DCDFile(file, self.topology, self.interval_ps, 1, 1, append=self.started)
            try:
                yield dcd
            except SimulationError as error:
                hint = f"the snapshots before it are kept in {self.trajectory}"
                raise SimulationError(f"{error} {hint}") from error

    def commit(self, context: openmm.Context, done: int) -> None:
        """Make the first `done` snapshots survive a kill -9."""
        with self.trajectory.open("rb") as file:
            os.fsync(file.fileno())
            size = file.seek(0, os.SEEK_END)
        with complete(self.checkpoint) as temporary:
            np.savez(
                temporary,
                identity=np.array(self.identity),
                done=done,
                size=size,
                context=np.frombuffer(context.createCheckpoint(), dtype=np.uint8),
            )
