"""AmberTools, called as programs: those on PATH, else those that the package acpype carries."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import ProgramError

REMEDY = (
    "install AmberTools (conda install -c conda-forge ambertools) or "
    "pip install acpype and, on Debian, "
    "apt-get install libgfortran5 liblapack3 libblas3 libarpack2 libnetcdf19"
)


@dataclass(frozen=True)
class AmberTools:
    """A folder of AmberTools programs.

    Attributes
    ----------
    home : Path
        AMBERHOME: has bin/ and dat/.
    carried : bool
        They are acpype's.
    """

    home: Path
    carried: bool

    def has(self, program: str) -> bool:
        """Test whether a program is installed."""
        return (self.home / "bin" / program).is_file()

    @property
    def source(self) -> str:
        """Origin of the programs, for records."""
        return "acpype's AmberTools" if self.carried else "AmberTools"

    def version(self) -> str:
        """Version that antechamber prints."""
        with TemporaryDirectory(prefix="neuralmd-") as folder, suppress(ProgramError):
            output = self.run("antechamber", "-h", folder=Path(folder))
            match = re.search(r"antechamber (\d\S*?):", output)
            if match is not None:
                return match.group(1)
        return "unknown"

    def run(self, program: str, *arguments: str, folder: Path) -> str:
        """Run a program in a folder; what it printed.

        Raises
        ------
        ProgramError
            It is missing, cannot start, or ends with an error.
        """
        if not self.has(program):
            raise ProgramError(f"{program} is missing in {self.home / 'bin'}; {REMEDY}")
        command = [str(self.home / "bin" / program), *arguments]
        result = subprocess.run(
            command,
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if result.returncode:
            raise ProgramError(f"{program} failed: {_reason(result.stdout, folder)}")
        return result.stdout

    def _environment(self) -> dict[str, str]:
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        environment = {**os.environ, "AMBERHOME": str(self.home), "PATH": path}
        if self.carried and (library := _netcdf()) is not None:
            # The carried libnetcdf lacks libraries of its own; RPATH goes before LD_LIBRARY_PATH.
            environment["LD_PRELOAD"] = str(library)
        return environment


def find_ambertools() -> AmberTools:
    """The programs to use.

    Raises
    ------
    ProgramError
        There are none.
    """
    program = shutil.which("antechamber")
    if program is not None:
        home = os.environ.get("AMBERHOME")
        return AmberTools(Path(home) if home else Path(program).resolve().parent.parent, False)
    spec = importlib.util.find_spec("acpype")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        system = "macos" if platform.system() == "Darwin" else "linux"
        tools = AmberTools(Path(folder) / f"amber_{system}", True)
        if tools.has("antechamber"):
            return tools
    raise ProgramError(f"no antechamber found, which types the ligand's atoms; {REMEDY}")


def _netcdf() -> Path | None:
    """Debian's libnetcdf, which is whole."""
    libraries = sorted(Path("/usr/lib").glob("*/libnetcdf.so.19"))
    return libraries[0] if libraries else None


def _reason(output: str, folder: Path) -> str:
    """The line that says why, out of what the program and sqm printed."""
    log = folder / "sqm.out"
    texts = [log.read_text(errors="replace")] if log.is_file() else []
    for text in [*texts, output]:
        lines = [" ".join(line.split()) for line in text.splitlines()]
        telling = [line for line in lines if re.search(r"error|fatal|cannot|unable", line, re.I)]
        if telling:
            remedy = f"; {REMEDY}" if "shared librar" in telling[0] else ""
            return telling[0] + remedy
    last = [line.strip() for line in output.splitlines() if line.strip()]
    return last[-1] if last else "it printed nothing"
