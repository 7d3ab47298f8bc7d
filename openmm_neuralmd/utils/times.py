"""Times as people read and write them: '8ns', '500 ps'."""

from __future__ import annotations

import math
import re

from ..errors import InputError

PICOSECONDS = {"fs": 1e-3, "ps": 1.0, "ns": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6, "ms": 1e9}
"""One of each unit in ps; micro has two code points."""

LONGEST_PS = 1e9
MOST_SNAPSHOTS = 2**31 - 1  # what a DCD can count

_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)\s*([a-zµμ]*)\s*")


def parse_time(text: str) -> float:
    """A time in ps; a plain number is in ps, as everywhere in OpenMM.

    Raises
    ------
    InputError
        If it is not a positive number with a known unit.
    """
    match = _TIME.fullmatch(text)
    unit = (match[2] or "ps") if match else ""
    if match is None or unit not in PICOSECONDS:
        raise InputError(f"'{text}' is not a time; write 8ns or 500ps (fs, ps, ns, us, ms)")
    value = float(match[1]) * PICOSECONDS[unit]
    if not value > 0:
        raise InputError(f"'{text}': the time must be positive")
    if not value <= LONGEST_PS:
        raise InputError(f"'{text}' is longer than 1 ms, which no run here can reach")
    return value


def time_scale(longest_ps: float) -> tuple[float, str]:
    """Factor from ps to the largest unit that a time fills, and that unit."""
    units = ("ms", "us", "ns", "ps")
    unit = next((unit for unit in units if longest_ps >= PICOSECONDS[unit]), "fs")
    return 1 / PICOSECONDS[unit], unit


def show_time(picoseconds: float) -> str:
    """A time in the largest unit that it fills."""
    scale, unit = time_scale(picoseconds)
    return f"{picoseconds * scale:g} {unit}"


def whole_strides(time_ps: float, interval_ps: float) -> int:
    """The fewest strides that cover a time; rounding errors of the division do not count.

    Raises
    ------
    InputError
        More than a trajectory file can count.
    """
    strides = time_ps / interval_ps * (1 - 1e-9)
    if not strides < MOST_SNAPSHOTS:
        raise InputError(
            f"{time_ps:g} ps in steps of {interval_ps:g} ps are {strides:.3g} snapshots; "
            f"a trajectory holds {MOST_SNAPSHOTS:,} at most"
        )
    return max(1, math.ceil(strides))
