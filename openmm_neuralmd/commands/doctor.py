"""`neuralmd doctor`: test what works on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HELP = """Test what works on this machine and show what to install.

Exit code: 0 if everything works, 1 if a feature that this machine supports fails, 2 if no
simulation can run.

With --audit, the command shows what a received file or folder would execute, without loading it;
the exit code is 1 if it contains a program.
"""
EXAMPLE = "Example: neuralmd doctor --audit complex/"


def doctor(
    audit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Inspect this file or folder instead of the machine."),
    ] = None,
) -> None:
    """Run the tests and show the findings."""
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
