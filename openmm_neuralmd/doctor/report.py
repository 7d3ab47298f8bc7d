"""Report on this installation: each part is tested, and missing packages are named.

Everything that touches OpenMM's or torch's libraries runs in processes of its own with a time
limit (`probe.py`): a bad installation answers with a crash, not with an exception.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from .diagnosis import (
    DoctorReport,
    Package,
    PlatformInfo,
    Probe,
    explain,
)

BACKENDS = ("TorchForce", "PythonForce")
TOLERANCE = 1e-4
"""Largest error of the test force that counts as right (kJ/mol, kJ/mol/nm): single precision."""

_PROBE = Path(__file__).with_name("probe.py")
_PROGRAMS_PROBE = Path(__file__).with_name("programs.py")
_PROGRAMS = {
    "antechamber": "ligand parameters in neuralmd prepare",
    "gmx": "--engine gromacs",
}

# Distribution, module, what is lost without it ("" = the package cannot work).
_PACKAGES = (
    ("openmm", "openmm", ""),
    ("torch", "torch", ""),
    ("torchdiffeq", "torchdiffeq", ""),
    ("mdtraj", "mdtraj", ""),
    ("rdkit", "rdkit", ""),
    ("parmed", "parmed", ""),
    ("safetensors", "safetensors", ""),
    ("pydantic", "pydantic", ""),
    ("numpy", "numpy", ""),
    ("scipy", "scipy", ""),
    ("openmmtorch", "openmmtorch", "the TorchForce backend (PythonForce remains)"),
    ("openmmtools", "openmmtools", "the example complex t4l-p-xylene"),
    ("pdbfixer", "pdbfixer", "preparing structures from raw PDB files"),
    ("h5py", "h5py", "reading MISATO and HDF5 trajectories"),
    ("matplotlib", "matplotlib", "figures"),
)

# Distribution, module, what it serves, the extra that installs it.
_EXTRAS = (
    ("acpype", "acpype", "neuralmd prepare", "prepare"),
    ("openmmforcefields", "openmmforcefields", "neuralmd prepare", "prepare"),
    ("lightning-fabric", "lightning_fabric", "neuralmd train", "train"),
    ("tensorboard", "tensorboard", "TensorBoard logs of the training", "train"),
    ("posebusters", "posebusters", "neuralmd validate", "validate"),
    ("prolif", "prolif", "neuralmd validate", "validate"),
    ("pyedr", "pyedr", "--engine gromacs", "gromacs"),
    ("distributed", "distributed", "neuralmd campaign", "campaign"),
)


def report(*, timeout: float = 120.0) -> DoctorReport:
    """Examine this installation; takes some seconds.

    Parameters
    ----------
    timeout : float
        Seconds that each of the processes which load OpenMM and torch may take.
    """
    answer, crash = _run(["inspect"], timeout)
    platforms = tuple(PlatformInfo(**entry) for entry in answer.get("platforms", ()))
    pairs = [(backend, entry.name) for entry in platforms for backend in BACKENDS]
    with ThreadPoolExecutor(max_workers=2) as pool:
        probes = tuple(pool.map(lambda pair: _probe(pair[0], pair[1], timeout), pairs))
    return DoctorReport(
        python=platform.python_version(),
        system=platform.platform(),
        packages=tuple(Package(name, _version(name, mod), lost) for name, mod, lost in _PACKAGES),
        programs=_programs(timeout),
        extras=tuple(
            Package(name, _version(name, module), f"{use}; pip install 'openmm_neuralmd[{extra}]'")
            for name, module, use, extra in _EXTRAS
        ),
        platforms=platforms,
        plugin_failures=tuple(map(explain, answer.get("load_failures", ()))),
        probes=probes,
        torch_cuda_build=answer.get("torch_cuda_build"),
        gpus=tuple(answer.get("gpus", ())),
        crash=crash,
    )


def render(findings: DoctorReport, console: Console | None = None) -> None:
    """Show a report on the terminal (or on `console`)."""
    colour = {"ok": "green", "degraded": "yellow", "broken": "red"}[findings.status]
    cuda = findings.torch_cuda_build or "none (CPU build)"
    parts: list[RenderableType] = [
        Text(f"Python {findings.python} on {findings.system}"),
        Text(f"torch's CUDA: {cuda}; GPUs: {', '.join(findings.gpus) or 'none'}"),
        _packages_table("Packages", findings.packages),
        _packages_table("Libraries of extras", findings.extras),
        _packages_table("Programs, called where they are installed", findings.programs),
        _backends_table(findings),
    ]
    if findings.plugin_failures:
        parts.append(_plugins_table(findings))
    parts.append(Text(findings.status, style=f"bold {colour}"))
    parts += [Text(f"- {line}") for line in findings.advice]
    parts += [Text(f"note: {line}") for line in findings.remarks]
    (console or Console()).print(Group(*parts))


def _packages_table(title: str, packages: Sequence[Package]) -> Table:
    """One row for each package or program, with what is lost without those that are missing."""
    table = Table("name", "version", "", title=title, title_justify="left")
    for package in packages:
        missing = package.version is None
        lost = f"lost: {package.lost_without}" if missing and package.lost_without else ""
        table.add_row(package.name, package.version or Text("missing", style="red"), Text(lost))
    return table


def _backends_table(findings: DoctorReport) -> Table:
    """One row for each platform, one column for each backend."""
    title = "OpenMM platforms, and a test force through each backend"
    table = Table("platform", "speed", "properties", *BACKENDS, title=title, title_justify="left")
    proved = {(probe.platform, probe.backend): probe for probe in findings.probes}
    for entry in findings.platforms:
        marks = [
            Text("works", style="green") if proved[entry.name, b].works else Text("no", style="red")
            for b in BACKENDS
        ]
        properties = ", ".join(f"{key}={value}" for key, value in entry.properties.items())
        table.add_row(entry.name, f"{entry.speed:g}", properties, *marks)
    return table


def _plugins_table(findings: DoctorReport) -> Table:
    """One row for each cause, with the plug-ins that were not loaded because of it."""
    libraries: dict[tuple[bool, str, str], list[str]] = {}
    for failure in findings.plugin_failures:
        cause = (failure.harmless, failure.explanation, failure.reason)
        libraries.setdefault(cause, []).append(failure.library)
    title = "OpenMM plug-ins that were not loaded"
    table = Table("plug-ins", "", "why", title=title, title_justify="left")
    for (harmless, explanation, reason), names in libraries.items():
        mark = Text("harmless") if harmless else Text("matters", style="yellow")
        table.add_row("\n".join(names), mark, f"{explanation} ({reason})")
    return table


def _programs(timeout: float) -> tuple[Package, ...]:
    """Rows of the outside programs, with the place of each."""
    versions, _ = _run([], timeout, _PROGRAMS_PROBE)
    return tuple(Package(name, versions.get(name), lost) for name, lost in _PROGRAMS.items())


def _version(distribution: str, module: str) -> str | None:
    """The version of a distribution; conda installs some without one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown" if util.find_spec(module) else None


def _probe(backend: str, platform_name: str, timeout: float) -> Probe:
    """Evaluate the test force through `backend` on a platform, in a separate process."""
    errors, crash = _run([backend, platform_name], timeout)
    if crash:
        return Probe(backend, platform_name, False, crash)
    worst = (
        errors["energy_error"] + errors["force_error"]
    )  # a sum keeps not-a-number, max() may not
    if not worst <= TOLERANCE:
        return Probe(backend, platform_name, False, f"wrong numbers: off by {worst:.2g}")
    return Probe(backend, platform_name, True, f"largest error {worst:.1g}")


def _run(
    arguments: Sequence[str], timeout: float, program: Path = _PROBE
) -> tuple[dict[str, Any], str]:
    """The answer of the probing program, and how it failed (empty where it did not)."""
    command = [sys.executable, "-P", str(program), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return {}, f"no answer within {timeout:.0f} s"
    if done.returncode < 0:
        return {}, f"Python crashed (signal {-done.returncode})"
    if done.returncode > 0:
        lines = done.stderr.strip().splitlines()
        return {}, lines[-1] if lines else f"exit code {done.returncode}"
    return json.loads(done.stdout.strip().splitlines()[-1]), ""
