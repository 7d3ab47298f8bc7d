"""TorchScript archives with the same bytes for the same module."""

from __future__ import annotations

import io
import zipfile
from itertools import groupby
from pathlib import Path


def write_in_order(archive: io.BytesIO, path: Path) -> None:
    """Write a TorchScript archive so that the same module has the same bytes, and the same hash.

    torch writes the constants of a class in the order of a set, which Python's hash seed decides,
    and an identifier made of the content.
    """
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            if name.endswith("/.data/serialization_id"):
                continue
            content = source.read(name)
            if "/code/" in name and name.endswith(".py"):
                content = _sorted_constants(content)
            target.writestr(zipfile.ZipInfo(name), content)


def _sorted_constants(code: bytes) -> bytes:
    """The code with neighbouring lines that declare constants in alphabetical order."""
    groups = groupby(code.splitlines(keepends=True), key=lambda line: b" : Final[" in line)
    return b"".join(b"".join(sorted(lines) if final else lines) for final, lines in groups)
