"""Record of the forecasts of an assessment, with the true coordinates of the same snapshots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .coordinates import Array
from .evaluation import Made
from .summaries import mean_interval


class Origin(NamedTuple):
    """A rolling origin: the snapshot from which forecasts begin.

    Attributes
    ----------
    start : array (n, 3)
        The last known snapshot, Å.
    truth : array (S, n, 3)
        What came then, Å.
    """

    start: Array
    truth: Array


class Record:
    """Forecasts by method, all of equal length, from the same origins.

    Attributes
    ----------
    origins : dict
        Index in the trajectory of the first snapshot forecast, to `Origin`.
    """

    def __init__(self) -> None:
        self.origins: dict[int, Origin] = {}
        self._made: dict[str, dict[int, Array]] = {}

    def add(self, offset: int, made: Made) -> None:
        """Add a forecast; `offset` is the index in the trajectory of its stretch's snapshot 0."""
        first = offset + made.future.start
        self.origins.setdefault(first, Origin(made.start, made.truth))
        self._made.setdefault(made.method, {})[first] = made.predicted

    @property
    def truth(self) -> Array:
        """True coordinates (O, S, n, 3) of every origin, Å."""
        return np.stack([origin.truth for origin in self.origins.values()])

    def forecasts(self, method: str) -> Array:
        """Forecasts of one method, in the order of `origins`, (O, S, n, 3), Å."""
        return np.stack([self._made[method][first] for first in self.origins])

    def rmsd(self, method: str) -> Array:
        """Distance to the truth of each snapshot of each forecast, (O, S), Å."""
        gaps = self.forecasts(method) - self.truth
        return np.sqrt(np.square(gaps).sum(-1).mean(-1))

    def rmsd_ahead(self, clusters: NDArray[np.int64]) -> dict[str, list[list[float]]]:
        """Mean of `rmsd` over origins by snapshots ahead, with 95 % intervals.

        Parameters
        ----------
        clusters : array (O,)
            Origins to draw together, see `statistics.consecutive_clusters`.

        Returns
        -------
        dict
            For each method S times ``[mean, low, high]``; ``[mean]`` for a single cluster.
        """
        return {
            method: [mean_interval(column, clusters) for column in self.rmsd(method).T]
            for method in self._made
        }

    def ranked(self, method: str) -> dict[str, int]:
        """Origins to show: 'median', 'worst' and 'best' by RMSE, as positions in `origins`.

        Of an even number the median is the worse of the two in the middle; what would be shown
        twice is left out.
        """
        order = np.argsort(np.square(self.rmsd(method)).mean(1), kind="stable")
        places = {"median": len(order) // 2, "worst": len(order) - 1, "best": 0}
        shown: dict[str, int] = {}
        for name, place in places.items():
            if int(order[place]) not in shown.values():
                shown[name] = int(order[place])
        return shown
