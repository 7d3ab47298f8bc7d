"""The ranking of predicted ligands: their order, their table, and where their files go."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .ensemble import LigandPrediction

TABLE_COLUMNS = ("rank", "name", "stays", "stays_low", "stays_high", "rmsf", "displacement")


@dataclass(frozen=True)
class Summary:
    """A line of the ranking.

    Attributes
    ----------
    number : int
        Place in the SDF, from 0.
    name : str
    stays, stays_low, stays_high : float
    rmsf, displacement : float
        Means over the heavy atoms, Å.
    largest : float
        Largest RMSF, Å.
    unlike : tuple of str
        Reasons why its complex is unlike the training set.
    """

    number: int
    name: str
    stays: float
    stays_low: float
    stays_high: float
    rmsf: float
    displacement: float
    largest: float
    unlike: tuple[str, ...] = ()

    @classmethod
    def of(cls, number: int, one: LigandPrediction) -> Summary:
        """The line of a prediction."""
        return cls(
            number=number,
            name=one.name,
            stays=one.stays,
            stays_low=one.stays_low,
            stays_high=one.stays_high,
            rmsf=float(one.rmsf.mean()),
            displacement=float(np.linalg.norm(one.displacement, axis=1).mean()),
            largest=float(one.rmsf.max()),
            unlike=one.unlike,
        )


def ranked(summaries: Iterable[Summary]) -> list[Summary]:
    """Sort poses, the likeliest to stay first; among equals those that move less."""
    return sorted(summaries, key=lambda one: (-round(one.stays, 2), one.rmsf, one.number))


@dataclass(frozen=True)
class Plan:
    """Ranked ligands and the folders of their files; it is the same in every process.

    Attributes
    ----------
    order : sequence of Summary
        Every ligand, as `ranked`.
    folders : sequence of str or None
        Where each has its files: '.' in the output itself, None nowhere.
    top : float
        RMSF in Å at the end of the colour scale, one for all ligands.
    failed : mapping of str to str
        Name of each ligand without a prediction, and why.
    """

    order: Sequence[Summary]
    folders: Sequence[str | None]
    top: float
    failed: Mapping[str, str]

    @classmethod
    def of(
        cls, order: Sequence[Summary], failed: Mapping[str, str], files: int | None = None
    ) -> Plan:
        """Plan the files of the first `files` ligands of the ranking; of all by default."""
        names: list[str | None] = list(folder_names(order))
        if len(order) == 1 and not failed:
            names = ["."]
        count = len(names) if files is None else files
        folders = names[:count] + [None] * len(names[count:])
        return cls(order, folders, max(one.largest for one in order), failed)

    @property
    def places(self) -> list[tuple[int, str | None]]:
        """Number of each ligand in the SDF, and its folder."""
        return [(one.number, name) for one, name in zip(self.order, self.folders, strict=True)]


def folder_names(order: Sequence[Summary]) -> list[str]:
    """A folder name for each ligand, in their order: safe characters, unique."""
    names: list[str] = []
    for number, one in enumerate(order, 1):
        safe = re.sub(r"[^\w.-]+", "_", one.name).strip("._")[:60] or "ligand"
        names.append(f"{number:03d}_{safe}")
    return names


def table(order: Sequence[Summary]) -> str:
    """Write `ranking.csv`."""
    rows = [
        (
            str(rank),
            one.name,
            *(f"{v:.3f}" for v in (one.stays, one.stays_low, one.stays_high)),
            f"{one.rmsf:.3f}",
            f"{one.displacement:.3f}",
        )
        for rank, one in enumerate(order, 1)
    ]
    return in_csv(TABLE_COLUMNS, rows)


def in_csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write rows as comma-separated values."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
