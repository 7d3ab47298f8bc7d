"""The ways to run an exported force inside OpenMM: one function each, in a dict by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from importlib import metadata, util
from pathlib import Path
from typing import Any

import openmm

from ..errors import InputError
from .callback import ForceCallback, check_hash
from .export import Artifact

ABI_BROKEN = {"1.5"}
"""Versions of openmmtorch whose TorchForce crashes Python when a System is read back.

OpenMM 8.6's SerializationNode.getStringProperty returns a string by value, where these wheels
were compiled for a reference.  Reading XML, and so copy.deepcopy and openmmtools'
ThermodynamicState, end in a segmentation fault.  Running works.
"""


def torch_force(artifact: Artifact, device: str) -> openmm.Force:
    """TorchForce of openmm-torch: no Python in the loop, on the Context's own device."""
    import torch  # noqa: F401  openmmtorch's library needs the ones that torch brings along

    try:
        import openmmtorch
    except ImportError as error:
        raise InputError(
            "backend 'TorchForce' needs openmm-torch: pip install openmmtorch, or use "
            "backend='PythonForce', which gives the same numbers"
        ) from error

    load_torch_plugins()
    check_hash(str(artifact.path), artifact.sha256)
    force = openmmtorch.TorchForce(str(artifact.path))
    force.setOutputsForces(True)
    force.setUsesPeriodicBoundaryConditions(artifact.metadata["periodic"])
    return force


def load_torch_plugins() -> None:
    """Load openmm-torch's plug-ins again where `import openmm` came before `import torch`.

    They need libraries that torch brings along (libnvrtc), and OpenMM looks for plug-ins once,
    when it is imported.  One that still does not load (OpenCL without a driver) is not needed.
    """
    failures = openmm.Platform.getPluginLoadFailures()
    for library in Path(openmm.version.openmm_library_path, "plugins").glob("*OpenMMTorch*"):
        if any(library.name in failure for failure in failures):
            with suppress(openmm.OpenMMException):
                openmm.Platform.loadPluginLibrary(str(library))


def python_force(artifact: Artifact, device: str) -> openmm.Force:
    """OpenMM's own PythonForce: any torch, copies and serializes safely."""
    periodic = artifact.metadata["periodic"]
    callback = ForceCallback(str(artifact.path), artifact.sha256, device, periodic)
    force = openmm.PythonForce(callback)
    force.setParticles(artifact.metadata["particles"])
    force.setUsesPeriodicBoundaryConditions(periodic)
    return force


BACKENDS: dict[str, Callable[[Artifact, str], Any]] = {
    "TorchForce": torch_force,
    "PythonForce": python_force,
}


def choose_backend(name: str | None = None) -> str:
    """The backend to use: `name`, or the first one that runs and can be read back from XML.

    Raises
    ------
    InputError
        If `name` is unknown.
    """
    if name is None:
        usable = util.find_spec("openmmtorch") is not None and not torch_force_crashes()
        return "TorchForce" if usable else "PythonForce"
    if name not in BACKENDS:
        raise InputError(f"backend '{name}' is unknown; use one of: {', '.join(BACKENDS)}")
    return name


def torch_force_crashes() -> bool:
    """Whether reading a System with a TorchForce would crash this installation (`ABI_BROKEN`)."""
    try:
        return metadata.version("openmmtorch") in ABI_BROKEN
    except metadata.PackageNotFoundError:
        return True  # built by hand: nothing is known about it
