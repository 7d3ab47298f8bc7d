"""Windows of trajectories: what is known at a snapshot, and what comes next.

No window crosses a replica break, and the known part ends at the snapshot a forecast starts from.
Trajectories are read when a batch needs them, and only so many are kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors, collate, complex_tensors, species
from ..errors import InputError
from ..trajectory.snapshots import Snapshots

BUCKET = 16
"""Batches whose windows are sorted by the size of their ligands before they are cut."""


class Batch(NamedTuple):
    """A batch of windows, of any complexes; n is the atoms of the largest ligand.

    Attributes
    ----------
    complexes : ComplexTensors (C, ...)
        Every complex of the batch, once.
    member : Tensor (B,), int64
        Row of `complexes` that each window is of.
    known : Tensor (B, T, n, 3)
        Å; shorter histories are padded at the front.
    valid : Tensor (B, T), bool
        False on that padding.
    target : Tensor (B, H, n, 3)
        The next snapshots, Å.
    """

    complexes: ComplexTensors
    member: Tensor
    known: Tensor
    valid: Tensor
    target: Tensor


class Window(NamedTuple):
    """One window.

    Attributes
    ----------
    trajectory : int
        Which one.
    first, present : int
        First snapshot of the replica, and the last known one.
    """

    trajectory: int
    first: int
    present: int


class Windows:
    """All windows whose forecast lies in a range of snapshots of its trajectory.

    Parameters
    ----------
    trajectories : sequence of Trajectory
    targets : sequence of range
        Snapshots of each that may be forecast; what is known may lie before.
    horizon : int
        Snapshots ahead, H.
    history : int
        At most so many known snapshots.
    keep : int
        So many trajectories are in memory at a time.
    every : int
        Snapshots from one window to the next: neighbours have nearly the same to say.
    dtype : torch.dtype
    setting : str
        What the horizon is called in the settings, for the message where no window fits.

    Raises
    ------
    InputError
        If no window fits.
    """

    def __init__(
        self,
        trajectories: Sequence[Trajectory],
        targets: Sequence[range],
        horizon: int,
        history: int,
        keep: int = 64,
        every: int = 1,
        dtype: torch.dtype = torch.float32,
        setting: str = "horizon",
    ) -> None:
        self.trajectories = list(trajectories)
        self.targets = list(targets)
        self.horizon = horizon
        self.history = history
        self.keep = keep
        self.dtype = dtype
        self._loaded: OrderedDict[int, tuple[ComplexTensors, Tensor]] = OrderedDict()
        # Two known snapshots give a velocity.
        self.of_trajectory = [
            [
                Window(index, segment.start, present)
                for segment in trajectory.segments
                for present in range(segment.start + 1, segment.stop - horizon)
                if present + 1 >= target.start and present + horizon < target.stop
            ][::every]
            for index, (trajectory, target) in enumerate(zip(trajectories, targets, strict=True))
        ]
        if not len(self):
            raise InputError(self._why_none(setting))

    def _why_none(self, setting: str) -> str:
        """Explain that no window fits: the setting to change, and its new value."""
        rooms = [
            (min(segment.stop, target.stop) - max(segment.start + 2, target.start), trajectory.name)
            for trajectory, target in zip(self.trajectories, self.targets, strict=True)
            for segment in trajectory.segments
        ]
        room, name = max(rooms, default=(0, "the data"))
        mend = f"set {setting}: {room}" if room > 0 else "give a longer trajectory"
        return (
            f"{setting} is {self.horizon}, but {name} leaves {max(room, 0)} snapshots in a row to "
            f"forecast in this part of the data; {mend} (or change train_fraction, "
            "validation_fraction)"
        )

    def __len__(self) -> int:
        return sum(len(windows) for windows in self.of_trajectory)

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[list[Window]]:
        """Divide all windows into batches; shuffled by the generator, in order without one.

        Trajectories are taken `keep` at a time and the windows of those mixed, so that none is
        read twice in an epoch.  Within some `BUCKET` batches ligands of like size come together.
        """
        if generator is None:
            ordered = [w for windows in self.of_trajectory for w in windows]
            return [ordered[i : i + size] for i in range(0, len(ordered), size)]
        used = [windows for windows in self.of_trajectory if windows]
        drawn = [used[i] for i in _shuffled(len(used), generator)] if len(used) > 1 else used
        mixed: list[Window] = []
        for i in range(0, len(drawn), self.keep):
            group = [w for windows in drawn[i : i + self.keep] for w in windows]
            mixed += [group[k] for k in _shuffled(len(group), generator)]
        for i in range(0, len(mixed), BUCKET * size):
            part = mixed[i : i + BUCKET * size]
            mixed[i : i + BUCKET * size] = sorted(part, key=self._size)
        return [mixed[i : i + size] for i in range(0, len(mixed), size)]

    def _size(self, window: Window) -> int:
        return self.trajectories[window.trajectory].atoms

    def batch(self, windows: Sequence[Window]) -> Batch:
        """Read and pad these windows."""
        members = list(dict.fromkeys(w.trajectory for w in windows))
        complexes = {index: self._load(index) for index in members}
        atoms = max(ligand.shape[1] for _, ligand in complexes.values())
        longest = max(min(w.present - w.first + 1, self.history) for w in windows)
        known, valid, target = [], [], []
        for window in windows:
            ligand = complexes[window.trajectory][1]
            begin = max(window.first, window.present - longest + 1)
            missing = longest - (window.present - begin + 1)
            stretch = _pad(ligand[begin : window.present + 1 + self.horizon], atoms)
            past = stretch[: -self.horizon]
            known.append(torch.cat((past[:1].expand(missing, -1, -1), past)))
            valid.append(torch.arange(longest) >= missing)
            target.append(stretch[-self.horizon :])
        return Batch(
            collate([complexes[index][0] for index in members]),
            torch.tensor([members.index(w.trajectory) for w in windows]),
            torch.stack(known),
            torch.stack(valid),
            torch.stack(target),
        )

    def _load(self, index: int) -> tuple[ComplexTensors, Tensor]:
        """A trajectory's tensors, the part that may be read alone; the oldest is let go."""
        if index in self._loaded:
            self._loaded.move_to_end(index)
            return self._loaded[index]
        part = self.trajectories[index].load()[: self.targets[index].stop]
        loaded = (
            complex_tensors(part.complex, self.dtype),
            torch.as_tensor(part.ligand, dtype=self.dtype),
        )
        self._loaded[index] = loaded
        while len(self._loaded) > self.keep:
            self._loaded.popitem(last=False)
        return loaded

    def seen(self, windows: Iterable[Window]) -> tuple[set[int], set[int]]:
        """Atomic numbers and residue types of the complexes of these windows."""
        return species(self._load(index)[0] for index in {w.trajectory for w in windows})


def _shuffled(count: int, generator: torch.Generator) -> list[int]:
    order: list[int] = torch.randperm(count, generator=generator).tolist()
    return order


def _pad(ligand: Tensor, atoms: int) -> Tensor:
    missing = ligand.new_zeros(ligand.shape[0], atoms - ligand.shape[1], 3)
    return torch.cat((ligand, missing), dim=1)


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

    Examples
    --------
    >>> from openmm_neuralmd import example
    >>> from openmm_neuralmd.training import Trajectory
    >>> trajectory = Trajectory.of(example("gpcr-ergotamine"))
    >>> trajectory.segments  # three replicas
    (range(0, 84), range(84, 167), range(167, 250))
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
