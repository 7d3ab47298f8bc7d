"""The checkpoint of an unfinished run: its state, and the lengths of its files."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from ..errors import InputError, one_line
from .files import complete, read_arrays


class Checkpoint(BaseModel):
    """State of a run that survives a kill -9.

    Attributes
    ----------
    done : int
        Number of snapshots.
    files : dict
        Length in bytes of each file, by its path in the run's folder.
    context : bytes
        State of the program that computes.
    """

    done: int = Field(gt=0, lt=2**31)
    files: dict[str, Annotated[int, Field(ge=0)]]
    context: bytes

    def sum(self) -> str:
        """SHA-256 of the content, since OpenMM's reader of checkpoints trusts its lengths."""
        head = json.dumps([self.done, self.files], sort_keys=True)
        return hashlib.sha256(head.encode() + self.context).hexdigest()

    def save(self, path: Path) -> None:
        """Write the checkpoint; it replaces an earlier one in one step."""
        with complete(path) as temporary:
            np.savez(
                temporary,
                done=self.done,
                files=np.array(list(self.files)),
                lengths=np.array(list(self.files.values()), dtype=np.int64),
                context=np.frombuffer(self.context, dtype=np.uint8),
                sum=np.array(self.sum()),
            )


DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, MemoryError, OverflowError)
"""Errors that a damaged checkpoint leads to."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that `Checkpoint.save` wrote.

    Raises
    ------
    InputError
        The file is damaged.
    """
    try:
        saved = read_arrays(path, ("done", "files", "lengths", "context", "sum"))
        content: dict[str, Any] = {
            "done": int(saved["done"]),
            "files": dict(zip(saved["files"].tolist(), saved["lengths"].tolist(), strict=True)),
            "context": saved["context"].tobytes(),
        }
        checkpoint = Checkpoint.model_validate(content)
        if checkpoint.sum() != str(saved["sum"]):
            raise ValueError("its sum is wrong")
        return checkpoint
    except InputError as error:
        raise InputError(f"{error}; remove its folder to start anew") from error
    except (ValidationError, *DAMAGE) as error:
        raise InputError(
            f"{path} is damaged ({one_line(error)}); remove its folder to start anew"
        ) from error


def length_on_disk(path: Path) -> int:
    """Length in bytes, after everything written has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return file.seek(0, os.SEEK_END)


def set_dcd_length(path: Path, snapshots: int) -> None:
    """Write the number of snapshots and the last step into a DCD header."""
    with path.open("r+b") as file:
        for offset in (8, 20):
            file.seek(offset)
            file.write(struct.pack("<i", snapshots))
