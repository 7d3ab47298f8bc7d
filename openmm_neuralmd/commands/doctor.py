"""`neuralmd doctor`: what works on this machine."""

from __future__ import annotations

import typer

HELP = """Show what works on this machine, proved by running it, and what to install.

Exit code: 0 everything works, 1 something that this machine could do does not, 2 nothing can run.
"""
EXAMPLE = "Example: neuralmd doctor"


def doctor() -> None:
    """Examine and show."""
    from ..doctor.report import render, report

    findings = report()
    render(findings)
    raise typer.Exit(findings.exit_code)
