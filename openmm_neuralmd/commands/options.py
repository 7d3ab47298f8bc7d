"""Options that several commands share: which complex, and which of its snapshots are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..utils.times import parse_time
from .command import say

_COMPLEX = "Complex"


def time_option(text: str | float) -> float:
    """A time with a unit, in ps; anything else is wrong usage."""
    try:
        return parse_time(str(text))
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


ComplexFile = Annotated[
    Path | None,
    typer.Option(
        "--complex",
        metavar="FILE",
        help="The complex: PDB, mmCIF or Amber prmtop.",
        rich_help_panel=_COMPLEX,
    ),
]
Coordinates = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Coordinates of a prmtop: inpcrd, rst7, PDB.",
        rich_help_panel=_COMPLEX,
    ),
]
Ligand = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The ligand: residue name or CHAIN:NUMBER; guessed if only one can be it.",
        rich_help_panel=_COMPLEX,
    ),
]
Sdf = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The ligand with its bonds.", rich_help_panel=_COMPLEX),
]
Trajectory = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Known snapshots: DCD, XTC, NetCDF, HDF5, ...",
        rich_help_panel=_COMPLEX,
    ),
]
Interval = Annotated[
    float | None,
    typer.Option(
        metavar="TIME",
        parser=time_option,
        help="Time between the snapshots of the trajectory, where the file does not say: 80ps.",
        rich_help_panel=_COMPLEX,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Take every N-th snapshot of the trajectory.",
        rich_help_panel=_COMPLEX,
    ),
]
Boundaries = Annotated[
    list[int] | None,
    typer.Option(
        "--boundary",
        metavar="INDEX",
        help="First snapshot of a later replica, where times do not say; can be repeated.",
        rich_help_panel=_COMPLEX,
    ),
]
Example = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A packaged complex in place of files: gpcr-ergotamine, t4l-p-xylene.",
        rich_help_panel=_COMPLEX,
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="N", help="Seed of all random numbers.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Start anew; what is there is moved aside, not deleted.")
]


def one_of(**given: object) -> None:
    """Refuse, as wrong usage, anything but exactly one of some arguments."""
    names = [name.replace("_", "-") for name in given]
    present = [name for name, value in zip(names, given.values()) if value is not None]
    if len(present) != 1:
        what = f"{' and '.join(present)} exclude each other" if present else "nothing to work on"
        raise typer.BadParameter(f"{what}; give one of: {', '.join(names)}")


def warn_of_platform(name: str | None) -> None:
    """Say so where the platform that was asked for is not to be trusted."""
    from ..utils.platforms import caution

    line = caution(name)
    if line:
        say(f"warning: {line}")


def read_properties(given: list[str] | None, platform: str | None) -> dict[str, str]:
    """NAME=VALUE pairs as a dict; anything else, or no platform to go with it, is wrong usage."""
    pairs = [text.partition("=") for text in given or []]
    if any(not (name and equals and value) for name, equals, value in pairs):
        raise typer.BadParameter("--property is NAME=VALUE, such as Precision=mixed")
    if pairs and platform is None:
        raise typer.BadParameter("--property needs --platform: properties differ between platforms")
    return {name: value for name, _, value in pairs}
