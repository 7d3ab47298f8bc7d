"""Counts of an MCMC move, with openmmtools' names and with failures beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from openmmtools.mcmc import MCMCMove


class CountedMove(MCMCMove):
    """A move that proposes, accepts or refuses, and draws from a generator that can be stored.

    Parameters
    ----------
    seed : int, optional
        Seed of all draws; a fresh one each time by default.

    Attributes
    ----------
    n_proposed, n_accepted, n_failed : int
        Failed proposals left the region where the energy is a number; they are refused.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        fresh = np.random.default_rng().integers(2**31 - 1)
        self.seed = int(fresh if seed is None else seed)
        self.n_proposed = self.n_accepted = self.n_failed = 0

    @property
    def fraction_accepted(self) -> float:
        """Share of the proposals that were accepted; NaN before the first."""
        return self.n_accepted / self.n_proposed if self.n_proposed else float("nan")

    @property
    def statistics(self) -> dict[str, int]:
        """The counts by name."""
        return {name: getattr(self, name) for name in ("n_proposed", "n_accepted", "n_failed")}

    @statistics.setter
    def statistics(self, value: dict[str, Any]) -> None:
        for name in self.statistics:
            setattr(self, name, int(value[name]))

    def generator(self) -> np.random.Generator:
        """Random numbers of the next proposal.

        They are a function of the seed and the number of proposals, so that a move that was stored
        and read back continues the same chain.
        """
        return np.random.default_rng([self.seed, self.n_proposed])
