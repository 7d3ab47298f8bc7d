"""Figures as bars in a table: the number stays text, the bar is drawn beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..analysis.interactions import Occupancies
from ..analysis.markdown import interval
from ..analysis.metrics import error_columns
from ..assessment.contestants import MEAN
from .names import title

Means = Mapping[str, Mapping[str, Sequence[float]]]
"""Method to metric to [mean, low, high] or [mean]."""

METRICS = {
    "rmse": "RMSE, Å",
    "stability": "Stability, %",
    "matching": "Matching, Å",
    "mae": "MAE, Å",
    "bond_angle_validity": "Intact molecules, %",
}
"""In the order of the report."""
MORE_IS_BETTER = ("stability", "bond_angle_validity")
KINDS = {
    "Hydrophobic": "hydrophobic",
    "VdWContact": "van der Waals",
    "HBAcceptor": "hydrogen bond to the ligand",
    "HBDonor": "hydrogen bond from the ligand",
    "PiStacking": "π stacking",
    "FaceToFace": "π stacking, face to face",
    "EdgeToFace": "π stacking, edge to face",
    "Cationic": "salt bridge, ligand positive",
    "Anionic": "salt bridge, ligand negative",
    "CationPi": "cation–π, ligand positive",
    "PiCation": "cation–π, protein positive",
    "XBDonor": "halogen bond from the ligand",
    "XBAcceptor": "halogen bond to the ligand",
}
"""ProLIF's names of interactions in words; others are shown as they are."""
RARE = 0.15
"""Interactions made less often by both are not shown."""
MOST_INTERACTIONS = 24


class Bar(NamedTuple):
    """A row.

    Attributes
    ----------
    title, role, text : str
        What it is, its CSS class, its figure.
    places : list of float
        Where the bar starts and ends, and its interval, in % of the track.
    best : bool
        Whether no other row is better.
    """

    title: str
    role: str
    text: str
    places: list[float]
    best: bool = False


class Bars(NamedTuple):
    """Rows on one scale, and where zero is on it, in %."""

    title: str
    note: str
    rows: list[Bar]
    zero: float = 0.0


def metric_bars(errors: Means, own: str) -> list[Bars]:
    """Draw bars of every method for each metric, from zero.

    Parameters
    ----------
    errors : mapping
        `evaluation.summary`.
    own : str
        The model's method.
    """
    return [_metric(key, errors, own) for key in METRICS]


def _metric(key: str, errors: Means, own: str) -> Bars:
    words, decimals = METRICS[key], error_columns()[key][1]
    rows = {name: row[key] for name, row in errors.items() if key in row}
    top = 100.0 if words.endswith("%") else max(max(values) for values in rows.values())
    more = key in MORE_IS_BETTER
    shown = {name: round(values[0], decimals) for name, values in rows.items()}
    best = max(shown.values()) if more else min(shown.values())
    bars = []
    for name in sorted(rows, key=lambda name: rows[name][0], reverse=more):
        mean, low, high = _three(rows[name])
        percent = [100 * value / top for value in (0.0, mean, low, high)]
        role = "model" if name in (own, own + MEAN) else "other"
        text = interval(rows[name], decimals)
        bars.append(Bar(title(name), role, text, percent, best=shown[name] == best))
    return Bars(words, "more is better" if more else "less is better", bars)


def difference_bars(differences: Means, key: str, methods: Sequence[str]) -> Bars:
    """The model minus each of some methods in one metric, about zero."""
    words, decimals = METRICS[key], error_columns()[key][1]
    rows = {name: _three(differences[name][key]) for name in methods}
    reach = 1.05 * max(abs(value) for row in rows.values() for value in row) or 1.0
    bars = []
    for name, values in rows.items():
        places = [50 + 50 * value / reach for value in (0.0, *values)]
        text = interval(differences[name][key], decimals + 1).replace("-", "−")
        role = outcome(key, differences[name][key])
        bars.append(Bar(title(name), role, text, places))
    side = "right" if key in MORE_IS_BETTER else "left"
    return Bars(words, f"{side} of the line is better", bars, zero=50.0)


def outcome(key: str, difference: Sequence[float]) -> str:
    """'better' or 'worse' where the interval of a paired difference excludes zero, else 'level'."""
    if len(difference) < 3:
        return "level"
    ends = [value if key in MORE_IS_BETTER else -value for value in difference[1:]]
    return "better" if min(ends) > 0 else "worse" if max(ends) < 0 else "level"


class Pair(NamedTuple):
    """Occupancy of an interaction in the MD and in the model's forecasts, in %."""

    title: str
    truth: float
    model: float


def occupancy_pairs(truth: Occupancies, model: Occupancies) -> tuple[list[Pair], int]:
    """Interactions by how often the MD makes them; and how many are left out."""
    often = {key: (truth.get(key, 0.0), model.get(key, 0.0)) for key in {**truth, **model}}
    shown = sorted(
        (key for key, pair in often.items() if max(pair) >= RARE),
        key=lambda key: (-often[key][0], -often[key][1], key),
    )[:MOST_INTERACTIONS]
    pairs = [
        Pair(f"{res}, {KINDS.get(kind, kind)}", *(100 * x for x in often[res, kind]))
        for res, kind in shown
    ]
    return pairs, len(often) - len(pairs)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and interval, which is the mean itself where there is none."""
    mean = values[0]
    low, high = values[1:] if len(values) == 3 else (mean, mean)
    return mean, low, high
