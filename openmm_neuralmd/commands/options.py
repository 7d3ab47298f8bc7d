"""Command-line options that several commands share: the complex and its known snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from ..utils.times import parse_time
from .command import say

_COMPLEX = "Complex"
COMPLEX = (
    "The complex: a structure file (PDB, mmCIF or Amber prmtop), or a folder that neuralmd prepare "
    "wrote."
)
PLATFORM = "OpenMM platform. Default: the fastest."


def time_option(text: str | float) -> float:
    """Parse a time with a unit into ps; refuse anything else as wrong usage."""
    try:
        return parse_time(str(text))
    except InputError as error:
        raise typer.BadParameter(str(error)) from error


def duration(*, help: str, panel: str | None = None) -> Any:
    """Declare an option that takes a time with a unit; its value is in ps."""
    return typer.Option(metavar="TIME", parser=time_option, help=help, rich_help_panel=panel)


ComplexFile = Annotated[
    Path | None,
    typer.Option(
        "--complex",
        metavar="PATH",
        help=COMPLEX,
        rich_help_panel=_COMPLEX,
    ),
]
Coordinates = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Coordinate file for a prmtop: inpcrd, rst7 or PDB.",
        rich_help_panel=_COMPLEX,
    ),
]
Ligand = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Residue name or CHAIN:NUMBER of the ligand. Default: the only candidate.",
        rich_help_panel=_COMPLEX,
    ),
]
Sdf = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="SDF file with the ligand's bonds.", rich_help_panel=_COMPLEX
    ),
]
Trajectory = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Trajectory file with the known snapshots: DCD, XTC, NetCDF, HDF5, ...",
        rich_help_panel=_COMPLEX,
    ),
]
Interval = Annotated[
    float | None,
    duration(
        help="Time between snapshots, if the trajectory file does not store it, such as 80ps.",
        panel=_COMPLEX,
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Use every N-th snapshot of the trajectory. Default: 1.",
        rich_help_panel=_COMPLEX,
    ),
]
Boundaries = Annotated[
    list[int] | None,
    typer.Option(
        "--boundary",
        metavar="INDEX",
        help="Index of the first snapshot of a further replica, if the stored times do not "
        "show it. Can be repeated.",
        rich_help_panel=_COMPLEX,
    ),
]
Example = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Bundled complex to use instead of files: gpcr-ergotamine or t4l-p-xylene.",
        rich_help_panel=_COMPLEX,
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**31 - 1, metavar="N", help="Random seed.")]
Restart = Annotated[
    bool,
    typer.Option(
        "--restart", help="Start again from the beginning; move existing output to another folder."
    ),
]


@dataclass(frozen=True)
class Device:
    """Options of the platform on which OpenMM computes."""

    platform: Annotated[str | None, typer.Option(metavar="NAME", help=PLATFORM)] = None
    platform_property: Annotated[
        list[str] | None,
        typer.Option(
            "--property",
            metavar="NAME=VALUE",
            help="Platform property, such as Precision=mixed or Threads=2. Can be repeated.",
        ),
    ] = None

    def choices(self) -> dict[str, Any]:
        """Platform and its properties, where they were given.

        Say so where the platform is not to be trusted.
        """
        properties = read_properties(self.platform_property, self.platform)
        warn_of_platform(self.platform)
        return (
            {} if self.platform is None else {"platform": self.platform, "properties": properties}
        )


def one_of(**given: object) -> None:
    """Require exactly one of the given options; refuse anything else as wrong usage."""
    names = [name.replace("_", "-") for name in given]
    present = [name for name, value in zip(names, given.values()) if value is not None]
    if len(present) != 1:
        what = f"{' and '.join(present)} exclude each other" if present else "nothing to work on"
        raise typer.BadParameter(f"{what}; give one of: {', '.join(names)}")


def warn_of_platform(name: str | None) -> None:
    """Warn where the requested platform is not to be trusted."""
    from ..utils.platforms import caution

    line = caution(name)
    if line:
        say(f"warning: {line}")


def read_properties(given: list[str] | None, platform: str | None) -> dict[str, str]:
    """Parse NAME=VALUE pairs of platform properties; refuse anything else as wrong usage."""
    pairs = [text.partition("=") for text in given or []]
    if any(not (name and equals and value) for name, equals, value in pairs):
        raise typer.BadParameter("--property is NAME=VALUE, such as Precision=mixed")
    if pairs and platform is None:
        raise typer.BadParameter("--property needs --platform: properties differ between platforms")
    return {name: value for name, _, value in pairs}
