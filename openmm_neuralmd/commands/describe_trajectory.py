"""Description of a trajectory file, with or without its complex."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..analysis.fluctuation import rmsf
from ..analysis.statistics import autocorrelation
from ..errors import InputError
from ..structure.complex import Complex
from ..trajectory.dcd import read_dcd_header
from ..trajectory.readers import stamps
from ..trajectory.snapshots import read_snapshots
from ..trajectory.timestamps import find_interval, find_replicas
from ..utils.times import show_time

Rows = list[tuple[str, str]]


def describe_trajectory(path: Path, complex: Complex | None, interval: float | None) -> Rows:
    """Length, times and replicas; with a complex also how its ligand moves.

    Raises
    ------
    InputError
        If the file cannot be read, or, with a complex, for the reasons of `read_snapshots`.
    """
    if complex is not None:
        return _of_complex(path, complex, interval)
    return _dcd(path) if path.suffix.lower() == ".dcd" else _stamped(path)


def _of_complex(path: Path, complex: Complex, interval: float | None) -> Rows:
    snapshots = read_snapshots(path, complex, interval=interval)
    ligand, segments = snapshots.ligand, snapshots.segments
    steps = [np.square(np.diff(ligand[s.start : s.stop], axis=0)).sum(-1) for s in segments]
    moved = float(np.sqrt(np.concatenate(steps).mean()))
    fluctuation = [float(rmsf(ligand[s.start : s.stop]).mean()) for s in segments]
    return [
        ("atoms", str(complex.topology.getNumAtoms())),
        *_times(len(snapshots), snapshots.interval_ps, snapshots.breaks),
        ("ligand heavy atoms", str(ligand.shape[1])),
        ("lag-1 autocorrelation", _lag_one(ligand, segments)),
        ("RMS displacement per snapshot", f"{moved:.3f} Å"),
        ("RMSF of the ligand", ", ".join(f"{value:.3f} Å" for value in fluctuation)),
    ]


def _lag_one(ligand: np.ndarray, segments: list[range]) -> str:
    try:
        return f"{autocorrelation(ligand, 1, segments):.3f}"
    except InputError as error:
        return f"undefined: {error}"


def _dcd(path: Path) -> Rows:
    header = read_dcd_header(path)
    rows = [("atoms", str(header.atoms)), *_times(header.complete, header.interval_ps, ())]
    if header.snapshots > header.complete or header.rest:
        promised = f"; the header promises {header.snapshots}" if header.snapshots else ""
        rows.append(("truncated", f"{header.rest} bytes after the last whole snapshot{promised}"))
    return rows


def _stamped(path: Path) -> Rows:
    atoms, count, times = stamps(path)
    if times is None or count < 2:
        return [("atoms", str(atoms)), *_times(count, None, ())]
    breaks = find_replicas(path.name, count, times, None)
    try:
        interval = find_interval(path.name, times, breaks, None)
    except InputError as error:
        return [("atoms", str(atoms)), ("snapshots", str(count)), ("times", str(error))]
    return [("atoms", str(atoms)), *_times(count, interval, breaks)]


def _times(count: int, interval_ps: float | None, breaks: tuple[int, ...]) -> Rows:
    rows = [("snapshots", str(count))]
    if interval_ps is None:
        rows.append(("interval", "the file does not say"))
    else:
        rows += [
            ("interval", show_time(interval_ps)),
            ("time", show_time((count - len(breaks) - 1) * interval_ps)),
        ]
    starts = [0, *breaks]
    lengths = np.diff([*starts, count]).tolist()
    if breaks:
        shown = [f"{length} from {start}" for start, length in zip(starts, lengths)]
        rows.append(("replicas", f"{len(starts)}: {', '.join(shown)}"))
    return rows
