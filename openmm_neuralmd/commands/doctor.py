"""`neuralmd doctor`: what works on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Show what works on this machine, proved by running it, and what to install.

Exit code: 0 everything works, 1 something that this machine could do does not, 2 nothing can run.

With --audit: show what a file or folder from somebody else would do, without opening it the usual
way; exit code 1 if it holds a program.
"""
EXAMPLE = "Example: neuralmd doctor --audit complex/"


def doctor(
    audit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show what this file or folder would do."),
    ] = None,
) -> None:
    """Examine and show."""
    if audit is not None:
        _audit(audit)
    from ..doctor.report import render, report

    findings = report()
    render(findings)
    raise typer.Exit(findings.exit_code)


def _audit(path: Path) -> None:
    from ..doctor.audit import audit

    findings = audit(path)
    for finding in findings:
        typer.echo(f"{finding.file}: {finding.verdict}: {finding.text}")
    raise typer.Exit(any(finding.verdict == "program" for finding in findings))
