"""Header of a DCD file: how many snapshots it has and whether it says the time between them."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

_AKMA_PS = 0.04888821  # CHARMM's unit of time in ps, as OpenMM and MDAnalysis have it
_MAGIC = b"CORD"
_LONGEST_PS = 1e15  # an interval beyond a quarter of an hour is damage
_MOST_ATOMS = 2**28


@dataclass(frozen=True)
class DCDHeader:
    """Length and time step of a DCD file.

    Attributes
    ----------
    snapshots : int
        As the header says; 0 when the writer left it open.
    complete : int
        Snapshots that are whole in the file.
    rest : int
        Bytes after the last whole snapshot; not 0 when the file was cut.
    atoms : int
    interval_ps : float or None
        Time between snapshots, None when the writer left a placeholder (0; 1 in VMD and MDTraj),
        or is LAMMPS, whose unit is not said.
    """

    snapshots: int
    complete: int
    rest: int
    atoms: int
    interval_ps: float | None


def read_dcd_header(path: Path) -> DCDHeader:
    """Read the header of a DCD file.

    Raises
    ------
    InputError
        The file is no DCD, ends within its header, or its header contradicts itself.
    """
    with path.open("rb") as file:
        head = file.read(92)
        if len(head) < 92 or head[4:8] != _MAGIC:
            raise InputError(f"{path.name} is not a DCD file, or ends within its header")
        order = "<" if head[:4] == struct.pack("<i", 84) else ">"
        control = struct.unpack(f"{order}20i", head[8:88])
        charmm = control[19] != 0
        (delta,) = struct.unpack_from(f"{order}{'f' if charmm else 'd'}", head, 44)
        try:
            (title,) = struct.unpack(f"{order}i", file.read(4))
            titles = file.read(min(max(title, 0), 2**24) + 4)
            before, atoms, after = struct.unpack(f"{order}3i", file.read(12))
        except struct.error:
            raise InputError(f"{path.name} ends within its header; it is truncated") from None
        start = file.tell()
    fixed = control[8]
    if (before, after) != (4, 4) or not 0 < atoms < _MOST_ATOMS or not 0 <= fixed < atoms:
        raise InputError(
            f"{path.name}: its DCD header is damaged ({atoms} atoms, {fixed} fixed); copy it again"
        )
    frame = 3 * (4 * atoms + 8)
    if charmm:
        frame += 56 * (control[10] != 0) + (4 * atoms + 8) * (control[11] != 0)
    complete, rest = divmod(path.stat().st_size - start, frame)
    if fixed:  # fixed atoms are in the first snapshot only, so lengths differ
        moving = frame - 12 * fixed
        complete, rest = divmod(path.stat().st_size - start - frame, moving)
        complete += 1
    # LAMMPS writes its own unit of time there, whichever that is.
    interval = None if b"LAMMPS" in titles else _interval(delta, control[2])
    return DCDHeader(control[0], complete, rest, atoms, interval)


def _interval(delta: float, steps: int) -> float | None:
    """Time between snapshots in ps; None for a placeholder or a value that is no time.

    Parameters
    ----------
    delta : float
        Time step in AKMA units.
    steps : int
        Steps between snapshots.
    """
    if delta == 0.0 or (delta == 1.0 and steps <= 1):
        return None
    interval = delta * max(steps, 1) * _AKMA_PS
    return interval if math.isfinite(interval) and 0 < interval < _LONGEST_PS else None
