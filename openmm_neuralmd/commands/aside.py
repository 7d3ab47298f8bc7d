"""Starting anew without losing anything."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path


def set_aside(files: Iterable[Path], folder: Path) -> Path | None:
    """Move what exists of `files` into the first unused of `folder`-1, `folder`-2, ...

    Returns
    -------
    Path or None
        The new folder; None if there was nothing to move.
    """
    present = [file for file in files if file.exists()]
    if not present:
        return None
    names = (folder.with_name(f"{folder.name}-{number}") for number in count(1))
    unused = next(name for name in names if not name.exists())
    unused.mkdir(parents=True)
    for file in present:
        file.rename(unused / file.name)
    return unused
