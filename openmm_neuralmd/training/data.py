"""Trajectories that a settings file names, and their entries in the model card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..examples import example, example_trajectory
from ..misato.reader import list_entries, read_entry, read_names
from ..misato.structure import entry_interval, read_misato
from ..structure.complex import Complex
from ..trajectory.snapshots import Snapshots, read_snapshots
from ..utils.files import sha256
from .settings import DataSettings
from .windows import Trajectory


def read_trajectories(data: Sequence[DataSettings]) -> list[Trajectory]:
    """Every trajectory that the settings name; MISATO's entries stay on disk.

    Raises
    ------
    InputError
        As `Complex.from_files`, `read_snapshots` and `read_entry`; trajectories with different
        times between snapshots.
    """
    trajectories = [trajectory for part in data for trajectory in _trajectories(part)]
    for other in trajectories[1:]:
        first = trajectories[0]
        if abs(other.interval_ps / first.interval_ps - 1) > 1e-3:
            raise InputError(
                f"{first.name} has snapshots every {first.interval_ps:g} ps and "
                f"{other.name} every {other.interval_ps:g} ps; one model learns one interval: set "
                "'stride' of the data"
            )
    return trajectories


def _trajectories(settings: DataSettings) -> list[Trajectory]:
    if settings.misato is not None:
        return _misato(settings)
    if settings.example is not None:
        snapshots = example(settings.example, hydrogens=settings.hydrogens)
        file, name = example_trajectory(settings.example), settings.example
    else:
        assert settings.topology is not None and settings.trajectory is not None
        complex = Complex.from_files(
            settings.topology,
            ligand=settings.ligand,
            sdf=settings.sdf,
            coordinates=settings.coordinates,
        ).with_hydrogens(settings.hydrogens)
        snapshots = read_snapshots(
            settings.trajectory,
            complex,
            interval=settings.interval,
            boundaries=settings.boundaries,
            stride=settings.stride,
        )
        file, name = Path(settings.trajectory), _name(Path(settings.trajectory))
    identity = {"name": name, "sha256": sha256(file), "complex": snapshots.complex.fingerprint()}
    return [Trajectory.of(snapshots, identity)]


def _name(file: Path) -> str:
    """The trajectory's own name; its folder's where every trajectory is called the same."""
    return f"{file.parent.name}/{file.name}" if file.stem == "trajectory" else file.name


def _misato(settings: DataSettings) -> list[Trajectory]:
    path = settings.misato
    assert path is not None
    present = list_entries(path)
    wanted = present if settings.entries is None else read_names(settings.entries)
    left_out = set() if settings.without is None else set(read_names(settings.without))
    names = [name for name in wanted if name not in left_out]
    missing = sorted(set(names) - set(present))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(f"{path.name} has no entry {missing[0]}{more}; is it the whole file?")
    if not names:
        raise InputError(f"{path.name}: no entry is left to train on")
    # Hashing 133 GB would take longer than an epoch: its length stands for it.
    size = path.stat().st_size
    return [
        _entry(path, name, settings.hydrogens, {"name": f"{path.name}:{name}", "bytes": size})
        for name in names
    ]


def _entry(path: Path, name: str, hydrogens: bool, identity: dict[str, Any]) -> Trajectory:
    entry = read_entry(path, name)
    return Trajectory(
        name=entry.label,
        segments=(range(entry.snapshots),),
        interval_ps=entry_interval(entry),
        atoms=len(entry.ligand),
        load=partial(_load_entry, path, name, hydrogens),
        identity=identity,
    )


def _load_entry(path: Path, name: str, hydrogens: bool) -> Snapshots:
    return read_misato(read_entry(path, name), hydrogens=hydrogens)
