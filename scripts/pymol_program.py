"""PyMOL without a window, as a program of its own (Debian: apt-get install pymol)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

MISSING = "PyMOL is not installed (Debian: apt-get install pymol)"


def run_pymol(
    script: Path, *arguments: str, folder: Path | None = None, home: Path | None = None
) -> str:
    """Run a script (.py or .pml) and return what PyMOL printed; exit if it is not installed.

    Parameters
    ----------
    script : Path
    arguments : str
        What a Python script finds in ``sys.argv[1:]``.
    folder : Path, optional
        Where to run it.
    home : Path, optional
        Where PyMOL looks for plug-ins and preferences instead of in the user's home.
    """
    program = shutil.which("pymol")
    if program is None:
        sys.exit(MISSING)
    # Debian's start script takes the first python3 on PATH, which must not be this environment's.
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(program).parent), os.environ["PATH"]]),
    }
    if home is not None:
        environment["HOME"] = str(home)
    done = subprocess.run(
        [program, "-cqk", str(script.resolve()), "--", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout
