"""Windows of a trajectory: what is known at a snapshot, and what comes next.

No window crosses a replica break, and the known part ends at the snapshot a forecast starts from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from ..trajectories import Snapshots


class Batch(NamedTuple):
    """A batch of windows.

    Attributes
    ----------
    known : Tensor (B, T, n, 3)
        Å; shorter histories are padded at the front.
    valid : Tensor (B, T), bool
        False on that padding.
    target : Tensor (B, H, n, 3)
        The next snapshots, Å.
    """

    known: Tensor
    valid: Tensor
    target: Tensor


class Windows:
    """All windows whose forecast lies in a range of snapshots.

    Parameters
    ----------
    snapshots : Snapshots
    target : range
        Snapshots that may be forecast; what is known may lie before.
    horizon : int
        Snapshots ahead, H.
    history : int
        At most so many known snapshots.
    dtype : torch.dtype

    Raises
    ------
    InputError
        If no window fits.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        target: range,
        horizon: int,
        history: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.ligand = torch.as_tensor(snapshots.ligand, dtype=dtype)
        self.horizon = horizon
        self.history = history
        # (first snapshot of the replica, last known snapshot); two known ones give a velocity.
        self.presents = [
            (segment.start, present)
            for segment in snapshots.segments
            for present in range(segment.start + 1, segment.stop - horizon)
            if present + 1 >= target.start and present + horizon < target.stop
        ]
        if not self.presents:
            raise InputError(
                f"no stretch of {horizon + 2} consecutive snapshots in snapshots {target.start}"
                f"-{target.stop - 1}: take a shorter horizon or a longer trajectory"
            )

    def __len__(self) -> int:
        return len(self.presents)

    def batch(self, indices: Sequence[int]) -> Batch:
        """The windows of these indices."""
        known, valid, target = [], [], []
        spans = [self.presents[i] for i in indices]
        longest = max(min(present - first + 1, self.history) for first, present in spans)
        for first, present in spans:
            begin = max(first, present - longest + 1)
            missing = longest - (present - begin + 1)
            stretch = self.ligand[begin : present + 1]
            known.append(torch.cat((stretch[:1].expand(missing, -1, -1), stretch)))
            valid.append(torch.arange(longest) >= missing)
            target.append(self.ligand[present + 1 : present + 1 + self.horizon])
        return Batch(torch.stack(known), torch.stack(valid), torch.stack(target))

    def batches(self, size: int, generator: torch.Generator | None = None) -> list[list[int]]:
        """Indices in batches; shuffled by the generator, in order without one."""
        if generator is None:
            order = list(range(len(self)))
        else:
            order = torch.randperm(len(self), generator=generator).tolist()
        return [order[i : i + size] for i in range(0, len(order), size)]
