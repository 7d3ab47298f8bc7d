"""Outputs that appear under their final name only when they are complete."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

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


def read_text(path: str | Path) -> str:
    """A text in UTF-8, or in Latin-1 where it is not: older programs write µ and ß that way."""
    content = Path(path).read_bytes()
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


@contextmanager
def in_utf8(path: str | Path) -> Iterator[Path]:
    """The file, or for a reader that takes UTF-8 alone a temporary copy of one in Latin-1."""
    path = Path(path)
    content = path.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        with TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            copy.write_text(content.decode("latin-1"), encoding="utf-8", newline="")
            yield copy
        return
    yield path


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


def read_arrays(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of an npz file, without pickles.

    Raises
    ------
    InputError
        The file is damaged, lacks an array, or unpacks to more than memory should hold.
    """
    path = Path(path)
    content = path.read_bytes()
    most = _FREE + _INFLATION * len(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > most or any(_declared(archive, name) > most for name in names):
                raise InputError(f"{path}: its arrays are larger than its content; it is damaged")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names}
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, SyntaxError, MemoryError, *_DAMAGE) as error:
        raise InputError(f"cannot read {path}, it is damaged: {one_line(error)}") from error


_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, tokenize.TokenError)


def _declared(archive: zipfile.ZipFile, name: str) -> int:
    """Bytes that the header of an array asks for."""
    with archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        shape, _, dtype = (
            read(member) if version == (1, 0) else np.lib.format.read_array_header_2_0(member)
        )
    size = dtype.itemsize
    for length in shape:
        size *= length
    return size
