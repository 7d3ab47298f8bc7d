"""A trajectory as training meets it: small facts at hand, coordinates when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..trajectories import Snapshots


@dataclass(frozen=True)
class Trajectory:
    """One trajectory of one complex.

    Attributes
    ----------
    name : str
        For messages and the model card.
    segments : tuple of range
        Snapshots of each replica.
    interval_ps : float
        Δ.
    atoms : int
        Of the ligand, about: complexes of like size go into one batch.
    load : callable
        Gives the Snapshots; may read a file each time.
    identity : dict
        What tells this trajectory from others: name and hash.
    """

    name: str
    segments: tuple[range, ...]
    interval_ps: float
    atoms: int
    load: Callable[[], Snapshots] = field(repr=False)
    identity: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.segments[-1].stop

    @classmethod
    def of(cls, snapshots: Snapshots, identity: dict[str, Any] | None = None) -> Trajectory:
        """Snapshots that are in memory already."""
        return cls(
            name=snapshots.complex.name,
            segments=tuple(snapshots.segments),
            interval_ps=snapshots.interval_ps,
            atoms=snapshots.ligand.shape[1],
            load=lambda: snapshots,
            identity=identity or {"name": snapshots.complex.name},
        )
