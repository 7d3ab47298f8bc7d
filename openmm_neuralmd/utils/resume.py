"""An unfinished run on disk: files that only grow, and a checkpoint that knows their lengths."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import openmm
from pydantic import BaseModel, Field, ValidationError

from ..errors import InputError, one_line
from .files import complete, read_arrays
from .lock import Lock

_PUBLISHING = "publishing"


class PartialRun:
    """The hidden folder '.NAME.partial' of a run, with 'run' in it, which becomes the output.

    One process works on it at a time.  The output is a folder that takes the place of 'run'
    (`publish`), or several files that are moved out of it (`publish_files`).

    Parameters
    ----------
    output : Path
        Final name of the folder or of the main file.
    identity : str
        Hash of everything that decides the trajectory; another run's folder is refused.
    beside : iterable of Path
        Further files that `publish_files` will write.

    Raises
    ------
    InputError
        An output exists, another process works on it, or the folder holds another run.
    """

    def __init__(self, output: Path, identity: str, beside: Iterable[Path] = ()) -> None:
        self.output = output
        self.folder = partial_folder(output)
        self.run = self.folder / "run"
        self.checkpoint = self.folder / "checkpoint.npz"
        check_free(output)
        self.run.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self.folder)
        check_free(output)  # another process may have finished it just now
        self.run.mkdir(parents=True, exist_ok=True)
        mark = self.folder / "identity"
        if not mark.is_file():
            with complete(mark) as temporary:
                temporary.write_text(identity)
        elif mark.read_text(errors="replace") != identity:
            raise InputError(
                f"{self.folder} holds an interrupted run of another model, complex, start or other "
                "settings; finish that one, or remove the folder to start anew"
            )
        if not (self.folder / _PUBLISHING).is_file():
            for path in beside:
                check_free(path)

    @property
    def started(self) -> bool:
        """Whether there are snapshots to continue from."""
        return self.checkpoint.is_file() and any(self.run.iterdir())

    def resume(self, load: Callable[[bytes], None], total: int) -> int:
        """Have the last checkpoint loaded; how many snapshots it stands for (0: none).

        What the files hold beyond it is cut off.

        Parameters
        ----------
        load : callable
            Takes the state that `commit` was given.
        total : int
            Snapshots that the run is to have.

        Raises
        ------
        InputError
            The checkpoint is damaged or of another platform, or stands for more than `total`.
        """
        if not self.started:
            shutil.rmtree(self.run)
            self.run.mkdir()
            return 0
        saved = _read_checkpoint(self.checkpoint)
        if saved.done > total:
            raise InputError(
                f"{self.folder} holds {saved.done} snapshots already, {total} were asked for; "
                "ask for as many at least, or remove the folder to start anew"
            )
        try:
            load(saved.context)
        except (openmm.OpenMMException, *_DAMAGE) as error:
            raise InputError(
                f"{self.checkpoint} is of another platform or OpenMM version ({one_line(error)}); "
                "remove its folder to start anew"
            ) from error
        for name, length in saved.files.items():
            self._cut(self.folder / name, length, saved.done)
        return saved.done

    def _cut(self, file: Path, length: int, done: int) -> None:
        inside = self.folder.resolve() in file.resolve().parents
        if not inside or not file.is_file() or file.stat().st_size < length:
            raise InputError(
                f"{self.checkpoint}: {file.name} is missing or shorter than it was; "
                "remove its folder to start anew"
            )
        os.truncate(file, length)
        if file.suffix == ".dcd":
            _set_dcd_length(file, done)

    def commit(self, checkpoint: bytes, done: int, files: Iterable[Path]) -> None:
        """Make the first `done` snapshots, which are in `files`, survive a kill -9."""
        lengths = {str(file.relative_to(self.folder)): _on_disk(file) for file in files}
        record = _Checkpoint(done=done, files=lengths, context=checkpoint)
        with complete(self.checkpoint) as temporary:
            np.savez(
                temporary,
                done=done,
                files=np.array(list(lengths)),
                lengths=np.array(list(lengths.values()), dtype=np.int64),
                context=np.frombuffer(checkpoint, dtype=np.uint8),
                sum=np.array(record.sum()),
            )

    def publish(self) -> None:
        """Give the folder of the run its final name."""
        check_free(self.output)
        self.run.rename(self.output)
        self._remove()

    def publish_files(self, targets: Mapping[str, Path]) -> None:
        """Move files of the run to their final names, in this order; the main output comes last.

        After a kill in between, the same command moves what is left.

        Parameters
        ----------
        targets : mapping of str to Path
            Names in the folder of the run, and where they go.
        """
        (self.folder / _PUBLISHING).touch()
        for name, target in targets.items():
            if target == self.output:
                check_free(target)
            (self.run / name).replace(target)
        self._remove()

    def _remove(self) -> None:
        for entry in self.folder.iterdir():
            if entry != self._lock.path and entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def partial_folder(output: Path) -> Path:
    """Where a run lives until it is complete."""
    return output.with_name(f".{output.name}.partial")


def check_free(path: Path) -> None:
    """Refuse to overwrite what is there.

    What a kill between publication and tidying up has left beside a finished output is removed.

    Raises
    ------
    InputError
    """
    if not path.exists():
        return
    left = partial_folder(path)
    if left.is_dir() and not any((left / "run").glob("*")):
        lock = Lock(left)
        shutil.rmtree(left, ignore_errors=True)
        lock.release()
    raise InputError(f"{path}: exists; choose another name, or move it away (--restart does)")


class _Checkpoint(BaseModel):
    done: int = Field(gt=0, lt=2**31)
    files: dict[str, Annotated[int, Field(ge=0)]]
    context: bytes

    def sum(self) -> str:
        """SHA-256: OpenMM's reader of checkpoints believes every length in them."""
        head = json.dumps([self.done, self.files], sort_keys=True)
        return hashlib.sha256(head.encode() + self.context).hexdigest()


_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, OverflowError)


def _read_checkpoint(path: Path) -> _Checkpoint:
    try:
        saved = read_arrays(path, ("done", "files", "lengths", "context", "sum"))
        content: dict[str, Any] = {
            "done": int(saved["done"]),
            "files": dict(zip(saved["files"].tolist(), saved["lengths"].tolist(), strict=True)),
            "context": saved["context"].tobytes(),
        }
        checkpoint = _Checkpoint.model_validate(content)
        if checkpoint.sum() != str(saved["sum"]):
            raise ValueError("its sum is wrong")
        return checkpoint
    except InputError as error:
        raise InputError(f"{error}; remove its folder to start anew") from error
    except (ValidationError, *_DAMAGE) as error:
        raise InputError(
            f"{path} is damaged ({one_line(error)}); remove its folder to start anew"
        ) from error


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
