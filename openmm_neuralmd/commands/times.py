"""Times as people write them: '8ns', '500 ps', '6 ns'."""

from __future__ import annotations

import math
import re

import typer

PICOSECONDS = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6, "ms": 1e9}
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-zµμ]*)\s*")


def parse_time(text: str | float) -> float:
    """A time in ps; a plain number is in ps, as everywhere in OpenMM.

    Raises
    ------
    typer.BadParameter
        If it is not a positive number with a known unit.
    """
    if isinstance(text, float):
        return text
    found = _TIME.fullmatch(text)
    unit = found[2] or "ps" if found else ""
    if found is None or unit not in PICOSECONDS:
        units = ", ".join(PICOSECONDS)
        raise typer.BadParameter(f"{text!r} is not a time; write e.g. 8ns or 500ps ({units})")
    value = float(found[1]) * PICOSECONDS[unit]
    if not 0 < value < math.inf:
        raise typer.BadParameter(f"{text!r} must be a positive time")
    return value


def show_time(picoseconds: float) -> str:
    """A time in the unit that reads best."""
    for unit in ("ms", "us", "ns", "ps"):
        if picoseconds >= PICOSECONDS[unit]:
            return f"{picoseconds / PICOSECONDS[unit]:g} {unit}"
    return f"{picoseconds / PICOSECONDS['fs']:g} fs"


def whole_strides(time_ps: float, interval_ps: float) -> int:
    """The fewest snapshots that cover a time; rounding errors of the division do not count."""
    return max(1, math.ceil(time_ps / interval_ps * (1 - 1e-9)))
