"""`neuralmd predict`: the motion of a ligand from one structure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .command import say, set_aside

HELP = """Predict how a ligand moves in its pocket, from its pose alone.

No molecular dynamics and no force-field parameters are needed. The command writes a trajectory
(DCD and PDB), RMSF, contacts, torsion wells, the probability that the pose stays within 2 Å, and
report.html. Every molecule of the SDF is predicted, and they are ranked.
"""
EXAMPLE = "Example: neuralmd predict protein.pdb ligand.sdf -o prediction"


def predict(
    protein: Annotated[Path, typer.Argument(metavar="PROTEIN", help="PDB or mmCIF file.")],
    ligand: Annotated[
        Path, typer.Argument(metavar="LIGAND", help="SDF file with poses in the protein's frame.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write.")],
    molecule: Annotated[
        str | None,
        typer.Option(
            "--ligand",
            metavar="NAME",
            help="Title or number of one molecule in the SDF. Default: all of them.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="FILE", help="NeuralMD-OU model file or bundled name.")
    ] = "neuralmd-ou",
    time: Annotated[
        float | None,
        typer.Option(
            metavar="TIME",
            parser=options.time_option,
            help="Length of each trajectory. Default: 200ps.",
        ),
    ] = None,
    interval: Annotated[
        float | None,
        typer.Option(
            metavar="TIME", parser=options.time_option, help="Time between snapshots. Default: 1ps."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all draws.")] = 0,
    restart: options.Restart = False,
) -> None:
    """Predict, write and show the ranking."""
    from ..prediction import predict as run
    from ..prediction.outputs import ranked, write
    from ..prediction.pose import molecules
    from ..utils.progress import progress_bar
    from ..utils.resume import check_free

    if restart:
        set_aside([output], output.with_name(f"{output.name}.previous"))
    check_free(output)
    count = 1 if molecule is not None else len(molecules(ligand))
    with progress_bar("predicting", count, "ligand") as advance:
        predictions = run(
            protein,
            ligand,
            model=model,
            molecule=molecule,
            time=200.0 if time is None else time,
            interval=1.0 if interval is None else interval,
            seed=seed,
            progress=advance,
        )
    write(predictions, output)
    for rank, one in enumerate(ranked(predictions), 1):
        typer.echo(
            f"{rank}. {one.name}: stays within 2 Å {one.stays:.0%} "
            f"({one.stays_low:.0%} to {one.stays_high:.0%}), RMSF {one.rmsf.mean():.2f} Å"
        )
        for reason in one.unlike:
            say(f"note: {one.name} is unlike the training set: {reason}")
    typer.echo(f"wrote {output}; open {output / 'report.html'}")
