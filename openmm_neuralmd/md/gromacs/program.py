"""GROMACS, called as the program `gmx`."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import ProgramError

NAMES = ("gmx", "gmx_mpi")
REMEDY = (
    "install GROMACS 2021 or later and put it on PATH (Debian: apt-get install gromacs; conda: "
    "conda install -c conda-forge gromacs; your own: source GMXRC), or use --engine openmm"
)
OLDEST = 2021
"""The first with the C-rescale barostat."""

_BOX = re.compile(r"-{20,}\n(.*?)\n-{20,}", re.DOTALL)
_EXPLAINED = re.compile(
    r"(?:Fatal error|Error in user input|Inconsistency in user input|ERROR \d+.*)"
)
_PR_SET_PDEATHSIG = 1
_STEP = re.compile(rb"step (\d+)")


@dataclass(frozen=True)
class Gmx:
    """A GROMACS installation.

    Attributes
    ----------
    program : Path

    Examples
    --------
    >>> from openmm_neuralmd.md.gromacs import find_gmx
    >>> "GROMACS version" in find_gmx().run("--version", folder=scratch)
    True
    """

    program: Path

    @cached_property
    def version(self) -> str:
        """Version that the program prints, such as '2022.5-Debian_2022.5_2'."""
        return self._told(r"GROMACS version:\s*(\S+)")

    @cached_property
    def simd(self) -> str:
        """Instruction set that its kernels were compiled for; it decides the speed."""
        return self._told(r"SIMD instructions:\s*(\S+)")

    def _told(self, pattern: str) -> str:
        match = re.search(pattern, self.run("--version", folder=Path()))
        return match[1] if match else "unknown"

    def run(self, *arguments: object, folder: Path, said: str = "") -> str:
        """Run a command to its end, and return its output.

        Parameters
        ----------
        arguments
            Of gmx: the command, then its options.
        folder : Path
            Where it runs.
        said : str
            Its standard input.

        Raises
        ------
        ProgramError
            It cannot start, or ends with an error.
        """
        result = subprocess.run(
            self._command(arguments),
            cwd=folder,
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            check=False,
        )
        if result.returncode:
            raise ProgramError(f"gmx {arguments[0]} failed: {reason(result.stdout)}")
        return result.stdout

    def watch(self, *arguments: object, folder: Path, step: Callable[[int], None]) -> None:
        """Run mdrun -v; `step` is called with the step that mdrun reports.

        Ctrl-C here reaches mdrun too, which writes a checkpoint and ends.

        Raises
        ------
        ProgramError
        """
        tail = b""
        with subprocess.Popen(
            self._command((*arguments, "-v")),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env=_environment(),
            preexec_fn=_end_with_parent,
        ) as process:
            assert process.stdout is not None
            try:
                while chunk := process.stdout.read(4096):
                    tail = (tail + chunk)[-65536:]
                    if steps := _STEP.findall(chunk):
                        step(int(steps[-1]))
            except BaseException:
                process.terminate()  # mdrun writes a checkpoint first
                raise
        if process.returncode:
            text = tail.decode(errors="replace")
            raise ProgramError(f"gmx {arguments[0]} failed: {reason(text)}")

    def _command(self, arguments: Sequence[object]) -> list[str]:
        return [str(self.program), *map(str, arguments)]


def _environment() -> dict[str, str]:
    """Remove variables that contradict -ntomp, which mdrun refuses."""
    return {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}


def _end_with_parent() -> None:
    """End mdrun with this process even at a kill -9: mdrun would hold the lock of its files."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def find_gmx() -> Gmx:
    """The gmx on PATH.

    Raises
    ------
    ProgramError
        There is none, or it is too old.

    Examples
    --------
    >>> from openmm_neuralmd.md.gromacs import find_gmx
    >>> int(find_gmx().version[:4]) >= 2022
    True
    """
    for name in NAMES:
        program = shutil.which(name)
        if program is not None:
            gmx = Gmx(Path(program))
            year = re.match(r"(\d+)", gmx.version)
            if year is not None and int(year[1]) < OLDEST:
                raise ProgramError(f"{program} is GROMACS {gmx.version}, too old; {REMEDY}")
            return gmx
    raise ProgramError(f"gmx is not installed; {REMEDY}")


_BROKEN = re.compile(
    r"^\s*step (\d+)\b.*(?:LINCS WARNING|can ?not be settled)", re.IGNORECASE | re.MULTILINE
)


def reason(output: str) -> str:
    """Give the cause of a failure of gmx in one line: its error box, else its last line.

    Constraints that give way come first: mdrun then ends with a word on the files it wrote, or
    with none.
    """
    if broken := _BROKEN.search(output):
        return (
            f"constraints broke at step {broken[1]}: take a shorter --timestep, or look for an ion "
            "or atom in a bad place"
        )
    boxes = [" ".join(box.split()) for box in _BOX.findall(output)]
    errors = [box for box in boxes if _EXPLAINED.search(box)]
    if errors:
        text = errors[-1]
        match = re.search(r"(?:Fatal error|user input):\s*(.*)", text)
        details = re.findall(r"ERROR \d+ \[[^]]*\]:\s*\n((?:  .*\n)+)", output)
        messages = [" ".join(detail.split()) for detail in details] or [match[1] if match else text]
        return re.sub(r" For more information and tips.*", "", messages[0])
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
