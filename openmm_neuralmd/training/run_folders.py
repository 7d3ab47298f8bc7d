"""Complexes with their runs, wherever these are: packed sets, and complex folders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from .run_statistics import RunStatistics, read_packed, read_trajectory

FILES = ("ligand.sdf", "start.pdb.gz", "topology.pdb", "trajectory.xtc")
"""What makes a folder that of a complex with a run."""


def read_runs(folders: Sequence[Path], split: str | None = None) -> list[RunStatistics]:
    """Read every complex of some folders.

    Parameters
    ----------
    folders : sequence of Path
        Each a packed set (ID.sdf, ID.pdb.gz and ID.npz, see `run_statistics`), a complex folder
        with a run (`FILES`), or a folder of such folders.
    split : str, optional
        Take the complexes of this split alone, where a folder's manifest.json names splits.

    Raises
    ------
    InputError
        A folder holds no complex with a run; two complexes have one name.
    """
    every = [one for folder in folders for one in _read(Path(folder), split)]
    names = [one.name for one in every]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"runs: two complexes are called {twice[0]!r}; leave one of them out")
    return every


def _read(folder: Path, split: str | None) -> list[RunStatistics]:
    if any(folder.glob("*.npz")):
        complexes = read_packed(folder, _of_split(folder, split))
    else:
        places = [folder, *sorted(folder.glob("*/"))]
        complete = [one for one in places if all((one / file).is_file() for file in FILES)]
        complexes = [read_trajectory(one) for one in complete]
    if not complexes:
        raise InputError(
            f"{folder}: no complex with a run; a folder of ID.sdf, ID.pdb.gz and ID.npz, or one "
            f"with {', '.join(FILES)}, is needed"
            + (f" (and split {split!r} in its manifest.json)" if split else "")
        )
    return complexes


def _of_split(folder: Path, split: str | None) -> set[str] | None:
    """Names of the complexes of a split; None for all of them."""
    manifest = folder / "manifest.json"
    if split is None or not manifest.is_file():
        return None
    entries = json.loads(manifest.read_text(encoding="utf-8"))["complexes"]
    return {name for name, one in entries.items() if one.get("split", split) == split}
