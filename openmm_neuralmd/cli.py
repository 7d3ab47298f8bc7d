"""The command line `neuralmd`: each command has a file of its own in `commands/`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .commands import (
    campaign,
    convert,
    doctor,
    hybrid,
    info,
    predict,
    prepare,
    reference,
    simulate,
    train,
    validate,
)
from .commands.command import Command

app = typer.Typer(
    name="neuralmd",
    help="Learned protein-ligand binding dynamics in OpenMM.",
    epilog="Example: neuralmd train --help. Terms: docs/glossary.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"neuralmd {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and warnings of libraries.")
    ] = False,
) -> None:
    """Take the options that come before a command; `Command` looks at --debug."""


for module, function in (
    (predict, predict.predict),
    (prepare, prepare.prepare),
    (reference, reference.reference),
    (campaign, campaign.campaign),
    (train, train.train),
    (simulate, simulate.simulate),
    (hybrid, hybrid.hybrid),
    (validate, validate.validate),
    (convert, convert.convert),
    (info, info.info),
    (doctor, doctor.doctor),
):
    app.command(cls=Command, help=module.HELP, epilog=module.EXAMPLE)(function)


def main() -> None:
    """Run the command line (console script)."""
    _keep_standard_output()
    app()


def _keep_standard_output() -> None:
    """Reserve standard output for results; drop what C libraries (MDTraj's DCD) print there."""
    sys.stdout.flush()
    sys.stdout = os.fdopen(os.dup(1), "w", encoding=sys.stdout.encoding, errors="replace")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.close(silence)


if __name__ == "__main__":
    main()
