"""The snapshots that a settings file names, and what the model card says of them."""

from __future__ import annotations

from pathlib import Path

from ..complexes import Complex
from ..examples import example, example_trajectory
from ..files import sha256
from ..trajectories import Snapshots, read_snapshots
from .settings import DataSettings


def read_data(settings: DataSettings) -> tuple[Snapshots, dict[str, object]]:
    """Read the snapshots, and describe them for the model card.

    Returns
    -------
    Snapshots
    dict
        'name' and 'sha256' of the trajectory, 'complex': fingerprint of the topology.

    Raises
    ------
    InputError
        As `Complex.from_files` and `read_snapshots`.
    """
    if settings.example is not None:
        snapshots = example(settings.example)
        file, name = example_trajectory(settings.example), settings.example
    else:
        assert settings.topology is not None and settings.trajectory is not None
        complex = Complex.from_files(
            settings.topology,
            ligand=settings.ligand,
            sdf=settings.sdf,
            coordinates=settings.coordinates,
        )
        snapshots = read_snapshots(
            settings.trajectory,
            complex,
            interval=settings.interval,
            boundaries=settings.boundaries,
            stride=settings.stride,
        )
        file, name = Path(settings.trajectory), Path(settings.trajectory).name
    identity = {"name": name, "sha256": sha256(file), "complex": snapshots.complex.fingerprint()}
    return snapshots, dict(identity)
