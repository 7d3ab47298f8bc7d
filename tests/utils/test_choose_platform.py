"""One function chooses the platform of every Context, and never OpenCL on a CPU by itself."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import openmm
import pytest

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.utils import platforms
from openmm_neuralmd.utils.platforms import (
    choose_platform,
    fastest_platform,
    gpu_devices,
    new_context,
)

ROOT = Path(__file__).parents[2]
MAKERS = {"Context": 3, "Simulation": 4, "ContextCache": 1}
"""Classes that make Contexts, and how many arguments they have with a platform among them."""
METHODS = {"addHydrogens", "addMembrane", "PDBFixer"}
"""Callables that make one inside and take `platform=`."""


def test_the_fastest_platform_is_a_gpu_or_the_cpu() -> None:
    names = {platform.getName() for platform in platforms.installed()}
    allowed = [("CUDA", True), ("HIP", True), ("OpenCL", bool(gpu_devices())), ("CPU", True)]
    fastest = fastest_platform()
    assert fastest in [name for name, good in allowed if good and name in names]
    assert choose_platform().getName() == fastest


def test_opencl_without_a_gpu_is_not_even_tried(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    class OpenCL:
        def getName(self) -> str:
            return "OpenCL"

        def getSpeed(self) -> float:
            return 50.0

    known = [OpenCL(), openmm.Platform.getPlatformByName("CPU")]
    monkeypatch.setattr(platforms, "installed", lambda: known)
    monkeypatch.setattr(platforms, "gpu_devices", frozenset)
    assert fastest_platform.__wrapped__() == "CPU"
    assert "unsupported OpenCL" not in "".join(capfd.readouterr())


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"platform 'Abacus' is not installed; there are: .*CPU"):
        choose_platform("Abacus")


def test_a_context_says_which_platform_refuses_what() -> None:
    system = openmm.System()
    system.addParticle(1.0)
    with pytest.raises(InputError, match=r"platform CPU: .*Beads"):
        new_context(system, openmm.VerletIntegrator(0.001), "CPU", {"Beads": "7"})
    context = new_context(system, openmm.VerletIntegrator(0.001), "CPU", {"Threads": "1"})
    record = platforms.describe_platform(context)
    assert record["name"] == "CPU" and record["properties"]["Threads"] == "1"


@pytest.mark.opencl
def test_opencl_is_taken_where_it_is_asked_for(opencl: str) -> None:
    system = openmm.System()
    system.addParticle(1.0)
    context = new_context(system, openmm.VerletIntegrator(0.001), opencl)
    assert bool(platforms.caution(opencl)) == (not gpu_devices()) and not platforms.caution("CPU")
    assert context.getPlatform().getName() == opencl
    assert (platforms.opencl_device(context) in gpu_devices()) == (fastest_platform() != "CPU")


def sources() -> list[Path]:
    folders = ("openmm_neuralmd", "validation", "scripts", "plugins", "benchmarks")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def without_platform(path: Path) -> list[str]:
    """Calls that leave the choice of the platform to OpenMM."""
    calls = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = len(node.args) + len(node.keywords)
        named = any(keyword.arg == "platform" for keyword in node.keywords)
        if (name in MAKERS and given < MAKERS[name]) or (name in METHODS and not named):
            calls.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    return calls


def test_no_context_is_made_without_a_platform() -> None:
    assert not [call for path in sources() for call in without_platform(path)]


def test_one_function_minimises() -> None:
    """OpenMM's own minimiser ends Python on OpenCL without a GPU."""
    word = "LocalEnergyMinimizer.minimize"
    users = [path.name for path in sources() if word in path.read_text()]
    assert users == ["platforms.py"]


@pytest.mark.opencl
def test_minimisation_on_opencl_is_that_of_the_cpu(opencl: str) -> None:
    """A chain of springs comes to rest where it does on the CPU platform."""
    ends = [_relaxed(name) for name in (opencl, "CPU")]
    assert np.abs(ends[0] - ends[1]).max() < 1e-4
    assert np.abs(np.abs(np.diff(ends[0][:, 0])) - 0.15).max() < 1e-3


def _relaxed(platform: str) -> np.ndarray:
    system, springs = openmm.System(), openmm.HarmonicBondForce()
    for i in range(20):
        system.addParticle(12.0)
        if i:
            springs.addBond(i - 1, i, 0.15, 1e4)
    system.addForce(springs)
    context = new_context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions([[0.2 * i, 0.0, 0.0] for i in range(20)])
    platforms.minimise_energy(context, 1e-3, 0)
    return np.array(context.getState(positions=True).getPositions(asNumpy=True)._value)
