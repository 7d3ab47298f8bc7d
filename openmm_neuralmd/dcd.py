"""The header of a DCD file: what MDTraj does not tell, the time step and the promised length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

from openmm_neuralmd.errors import InputError

_AKMA_PS = 0.04888821  # CHARMM's unit of time in ps, as OpenMM and MDAnalysis have it
_MAGIC = b"CORD"


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
        Time between snapshots, None when the writer left the placeholder 1 (VMD, MDTraj).
    """

    snapshots: int
    complete: int
    rest: int
    atoms: int
    interval_ps: float | None


def read_dcd_header(path: Path) -> DCDHeader:
    """Read the header; an InputError when the file is no DCD or ends within its header."""
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
            file.seek(title + 4, 1)
            atoms = struct.unpack(f"{order}3i", file.read(12))[1]
        except struct.error:
            raise InputError(f"{path.name} ends within its header; it is truncated") from None
        start = file.tell()
    frame = 3 * (4 * atoms + 8)
    if charmm:
        frame += 56 * (control[10] != 0) + (4 * atoms + 8) * (control[11] != 0)
    complete, rest = divmod(path.stat().st_size - start, frame)
    if control[8]:  # fixed atoms are in the first snapshot only, so lengths differ
        complete, rest = control[0], 0
    placeholder = delta in (0.0, 1.0) and control[2] <= 1
    interval = None if placeholder else delta * max(control[2], 1) * _AKMA_PS
    return DCDHeader(control[0], complete, rest, atoms, interval)
