"""`neuralmd convert`: convert MISATO's layout to files of a complex, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options

HELP = """Convert between MISATO's HDF5 layout and the files of a complex.

The file whose name ends in .hdf5 is the MISATO side. From HDF5, the command writes topology.pdb,
trajectory.dcd, ligand.sdf (bond orders are perceived and marked so) and complex.yaml to the target
folder, or to one folder for each entry. To HDF5, it adds an entry to the target file.
"""
EXAMPLE = "Example: neuralmd convert MD.hdf5 11gs/ --entry 11GS"


def convert(
    source: Annotated[
        Path, typer.Argument(help="MISATO HDF5 file, complex folder, or structure file.")
    ],
    target: Annotated[Path, typer.Argument(help="Folder to write, or .hdf5 file to extend.")],
    entry: Annotated[
        list[str] | None,
        typer.Option(
            "--entry", metavar="NAME", help="PDB code to convert. Can be repeated. Default: all."
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Text file with the entries to convert, one per line."),
    ] = None,
    without: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text file with entries to leave out, such as peptides.txt."
        ),
    ] = None,
    trajectory: options.Trajectory = None,
    coordinates: options.Coordinates = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Replace an entry with the same name in the target, or folders of convert.",
        ),
    ] = False,
) -> None:
    """Convert and print the paths of the written files."""
    from ..misato.conversion import convert as run
    from ..misato.reader import read_names

    if names is not None and entry:
        raise typer.BadParameter("--entry and --names exclude each other")
    chosen = read_names(names) if names is not None else list(entry or [])
    if without is not None:
        left_out = set(read_names(without))
        chosen = [name for name in chosen if name.upper() not in left_out]
    written = run(
        source,
        target,
        entries=chosen or None,
        trajectory=trajectory,
        ligand=ligand,
        sdf=sdf,
        coordinates=coordinates,
        interval=interval,
        replace=replace,
    )
    for path in written:
        typer.echo(path)
