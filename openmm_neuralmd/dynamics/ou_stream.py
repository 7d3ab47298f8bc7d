"""Futures of NeuralMD-OU in parts of any length, in memory that does not grow with them.

Each replica has generators of its own: its future depends on the seed and on its number, not on
the other replicas nor on where the parts end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .ou_wells import ANGLES, drawn_wells

if TYPE_CHECKING:
    from .ou_prediction import Prediction

Array = NDArray[np.float64]


class OUStream:
    """Replicas of one prediction, one snapshot interval after the other.

    Parameters
    ----------
    prediction : Prediction
        Conditioned on what is known.
    replicas : sequence of int
        Their numbers.
    interval : float
        Δ, ps.
    seed : int
    """

    def __init__(
        self, prediction: Prediction, replicas: Sequence[int], interval: float, seed: int
    ) -> None:
        p, process = prediction, prediction.process
        self.prediction = prediction
        # Motion and hops have generators of their own: each draws in the order of time.
        self.moving = [np.random.default_rng([seed, replica, 0]) for replica in replicas]
        self.hopping = [np.random.default_rng([seed, replica, 1]) for replica in replicas]
        scales = np.array([process.scales(1, generator)[0] for generator in self.moving])
        self.components = np.concatenate(
            [process.components(scales[[r]], own) for r, own in enumerate(self.moving)]
        )
        self.decay = np.exp(-interval / process.times)
        self.size = np.sqrt(process.variances() * (1.0 - self.decay**2))
        self.scales = scales[:, None, None]
        self.stay = np.exp(-p.hop_rate * interval)
        levels = np.array([generator.random(len(p.wells)) for generator in self.hopping])
        first = drawn_wells(p.wells, levels)
        self.wells = first if p.now is None else np.broadcast_to(p.now, first.shape)

    def part(self, snapshots: int) -> Array:
        """The next snapshots (R, S, n, 3) in Å of every replica."""
        p, replicas = self.prediction, len(self.moving)
        shape = (snapshots, *self.size.shape)
        noise = np.array([own.normal(size=shape) for own in self.moving])
        chance = (snapshots, 2, len(p.wells))
        drawn = np.array([own.random(chance) for own in self.hopping])
        moved = np.empty((replicas, snapshots, self.size.shape[0]))
        states = np.empty((replicas, snapshots, len(p.wells)), dtype=np.int64)
        for s in range(snapshots):
            decayed = self.components * self.decay
            self.components = decayed + self.scales * self.size * noise[:, s]
            moved[:, s] = self.components.sum(-1)
            other = drawn_wells(p.wells, drawn[:, s, 1])
            self.wells = np.where(drawn[:, s, 0] > self.stay, other, self.wells)
            states[:, s] = self.wells
        away = moved.reshape(-1, moved.shape[-1]) @ p.process.modes.T
        away += (p.process.centre - p.maker.pose).reshape(-1)
        angles = None
        if len(p.wells):
            # The process already stands in the known wells: only turns from there are added.
            turns = ANGLES[states * p.small] - (0.0 if p.now is None else ANGLES[p.now])
            angles = turns.reshape(-1, len(p.wells))
        flat = p.maker(away, angles)
        return flat.reshape(replicas, snapshots, -1, 3)
