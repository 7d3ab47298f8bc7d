"""`neuralmd predict`: the motion of a ligand from one structure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .command import resumable, say, set_aside

if TYPE_CHECKING:
    from ..prediction.many import Predicted

HELP = """Predict how a ligand moves in its pocket, from its pose alone.

No molecular dynamics and no force-field parameters are needed. The command writes a trajectory (DCD
and PDB) in which the residues around the ligand move too, RMSF, contacts, torsion wells, the
probability that the pose stays within 2 Å, and report.html. The pose is taken for right: nothing
here tells right poses from wrong ones. Every molecule of the SDF is predicted, and they are ranked;
one that cannot be predicted is listed with the reason, and the command then ends with exit code 1.
After an interruption the same command goes on with the ligands that are left.
"""
LISTED = 20
"""Ligands that the terminal shows."""
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
        options.duration(help="Length of each trajectory. Default: 200ps."),
    ] = None,
    interval: Annotated[
        float | None,
        options.duration(help="Time between snapshots. Default: 1ps."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, metavar="N", help="Seed of all draws.")
    ] = 0,
    files: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of ligands that get files of their own, the first of the ranking. "
            "Default: all of them.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, max=1024, metavar="N", help="Processes that share the ligands."),
    ] = 1,
    restart: options.Restart = False,
) -> None:
    """Predict, write and show the ranking."""
    from ..campaign.cluster_settings import ClusterSettings
    from ..prediction.many import predict_many
    from ..prediction.run import Request
    from ..utils.progress import progress_bar
    from ..utils.resume import check_free

    if restart:
        set_aside([output], output.with_name(f"{output.name}.previous"))
    check_free(output)
    length = 200.0 if time is None else time
    step = 1.0 if interval is None else interval
    request = Request.of(protein, ligand, model=model, time=length, interval=step, seed=seed)
    count = len(request.wanted(molecule))
    hint = "run the same command again to continue with the ligands that are left"
    with resumable(hint), progress_bar("predicting", count, "ligands") as advance:
        done = predict_many(
            protein,
            ligand,
            output,
            model=model,
            molecule=molecule,
            time=length,
            interval=step,
            seed=seed,
            files=files,
            cluster=ClusterSettings(workers=workers) if workers > 1 else None,
            progress=advance,
        )
    _show(done, output)
    if done.failed:
        raise typer.Exit(1)


def _show(done: Predicted, output: Path) -> None:
    """Print the first lines of the ranking, where the rest is, and what failed."""
    for rank, one in enumerate(done.ranking[:LISTED], 1):
        typer.echo(
            f"{rank}. {one.name}: stays within 2 Å {one.stays:.0%} "
            f"({one.stays_low:.0%} to {one.stays_high:.0%}), RMSF {one.rmsf:.2f} Å"
        )
        for reason in done.unlike.get(one.name, ()):
            say(f"note: {one.name} is unlike the training set: {reason}")
    if len(done.ranking) > LISTED:
        typer.echo(f"and {len(done.ranking) - LISTED} more in {output / 'ranking.csv'}")
    typer.echo(f"wrote {output}; open {output / 'report.html'}")
    for name, reason in done.failed.items():
        say(f"failed: {name}: {reason}")
