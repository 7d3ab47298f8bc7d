"""`neuralmd info`: what is in a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from . import options
from .sources import Source

HELP = """Show what is in a file: model, structure, trajectory, exported force, run or settings.

With --complex a trajectory is read as the ligand's motion, with its lag-1 autocorrelation.
"""
EXAMPLE = "Example: neuralmd info traj.dcd --complex traj.pdb"


def info(
    file: Annotated[str, typer.Argument(help="A file, or a bundled model's name.")],
    complex_file: options.ComplexFile = None,
    coordinates: options.Coordinates = None,
    ligand: options.Ligand = None,
    sdf: options.Sdf = None,
    interval: options.Interval = None,
) -> None:
    """Describe the file as a table."""
    from rich.console import Console
    from rich.table import Table

    from .describe import describe_file

    complex = None
    if complex_file is not None:
        complex, _ = Source(complex_file, None, None, ligand, sdf, coordinates).read()
    found = describe_file(
        file,
        complex=complex,
        interval=interval,
        ligand=ligand,
        coordinates=coordinates,
    )
    typer.echo(f"{file}: {found.kind}")
    table = Table(show_header=False, box=None)
    for name, value in found.rows:
        table.add_row(name, value)
    # Piped into a file or another program, a row stays one line.
    Console(width=None if sys.stdout.isatty() else 1000, markup=False).print(table)
