"""`neuralmd convert`: MISATO's layout to files of a complex, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options

HELP = """Convert MISATO's HDF5 layout to files of a complex, or a complex and its trajectory to it.

The ending .hdf5 says which side is MISATO's.  From HDF5: topology.pdb, trajectory.dcd, ligand.sdf
(bond orders perceived, and marked as such) and complex.yaml in the target folder, or in one folder
for each entry.  To HDF5: an entry is added to the target file.
"""
EXAMPLE = "Example: neuralmd convert MD.hdf5 11gs/ --entry 11GS"


def convert(
    source: Annotated[Path, typer.Argument(help="MD.hdf5, a complex folder, or a structure.")],
    target: Annotated[Path, typer.Argument(help="A folder, or the .hdf5 file to add to.")],
    entry: Annotated[
        list[str] | None,
        typer.Option("--entry", metavar="NAME", help="PDB code in the file; can be repeated."),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A split file: entries to convert, one per line."),
    ] = None,
    without: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Entries to leave out, such as peptides.txt."),
    ] = None,
    trajectory: options.Trajectory = None,
    coordinates: options.Coordinates = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an entry of the same name in the target.")
    ] = False,
) -> None:
    """Convert, and name what was written."""
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
