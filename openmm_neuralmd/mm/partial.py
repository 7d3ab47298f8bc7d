"""An unfinished run on disk: its trajectory so far and the checkpoint that belongs to it."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openmm
from openmm import app

from ..complexes import Complex
from ..errors import InputError, SimulationError
from ..files import complete


class PartialRun:
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

    def __init__(self, output: Path, complex: Complex, interval_ps: float, identity: str) -> None:
        self.folder = output.with_name(f".{output.stem}.partial")
        self.trajectory = self.folder / "trajectory.dcd"
        self.checkpoint = self.folder / "checkpoint.npz"
        self.topology = complex.topology
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
                kept = f"the snapshots before it are kept in {self.trajectory}"
                raise SimulationError(f"{error} {kept}") from error

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
