"""`neuralmd info`: show the contents of a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import options
from .sources import Source

HELP = """Show the contents of a model, structure, trajectory, exported force, run or settings file.

With --complex, a trajectory is described by the ligand's motion, with its lag-1 autocorrelation.
"""
EXAMPLE = "Example: neuralmd info traj.dcd --complex traj.pdb"


def info(
    file: Annotated[str, typer.Argument(help="File, or name of a bundled model.")],
    complex_file: options.ComplexFile = None,
    coordinates: options.Coordinates = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
) -> None:
    """Print a table that describes the file."""
    from rich.console import Console
    from rich.table import Table

    from .describe import describe_file

    complex = None
    if complex_file is not None:
        source = Source(complex_file, coordinates, ligand=ligand, sdf=sdf).check()
        complex, _ = source.read()
    description = describe_file(
        file,
        complex=complex,
        interval=interval,
        ligand=ligand,
        coordinates=coordinates,
    )
    typer.echo(f"{file}: {description.kind}")
    table = Table(show_header=False, box=None)
    for name, value in description.rows:
        table.add_row(name, value)
    # Piped into a file or another program, a row stays one line.
    Console(width=None if sys.stdout.isatty() else 1000, markup=False).print(table)
