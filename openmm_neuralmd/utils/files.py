"""Outputs that appear under their final name only when they are complete."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError, one_line

_INFLATION, _FREE = 200, 2**20
"""Unpacked, a file may be so many times larger, and 1 MB in any case."""


@contextmanager
def complete(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`; renamed to it when the block ends without an error."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: some writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpacked(path: str | Path) -> bytes:
    """Content of a gzip file.

    Raises
    ------
    InputError
        The file is damaged, or made to fill the memory.
    """
    path = Path(path)
    most = _FREE + _INFLATION * path.stat().st_size
    try:
        with gzip.open(path) as file:
            content = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {one_line(error)}; copy it again") from error
    if len(content) > most:
        raise InputError(f"{path}: unpacked it is more than {_INFLATION} times larger; not read")
    return content
