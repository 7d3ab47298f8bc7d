"""The ways to run an exported force inside OpenMM: one function each, in a dict by name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openmm

from ..errors import InputError
from ..utils.platforms import OPENCL
from .export import Artifact

if TYPE_CHECKING:
    import torch

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


def choose_backend(name: str | None = None, platform: str | None = None) -> str:
    """The backend to use: `name`, or the first one that runs and can be read back from XML.

    Parameters
    ----------
    platform : str, optional
        Of the Context, where it is known.

    Raises
    ------
    InputError
        If `name` is unknown, or would crash Python on the platform.
    """
    if name == "TorchForce" and platform == OPENCL and torch_force_crashes():
        raise InputError(
            "backend='TorchForce' does not work on platform OpenCL: with this openmmtorch it ends "
            "Python with a symbol lookup error; use backend='PythonForce', which gives the same "
            "numbers, or another platform"
        )
    if name is None:
        usable = util.find_spec("openmmtorch") is not None and not torch_force_crashes()
        return "TorchForce" if usable else "PythonForce"
    if name not in BACKENDS:
        raise InputError(f"backend '{name}' is unknown; use one of: {', '.join(BACKENDS)}")
    return name


def torch_force_crashes() -> bool:
    """Test whether reading a System with a TorchForce would crash (`ABI_BROKEN`)."""
    try:
        return metadata.version("openmmtorch") in ABI_BROKEN
    except metadata.PackageNotFoundError:
        return True  # built by hand: nothing is known about it


class ForceCallback:
    """Evaluates an exported force module on the particles that `setParticles` selected.

    Parameters
    ----------
    path, sha256 : str
        The file, and what its hash has to be.
    device : str
        torch device; 'auto' is the first GPU that torch sees, or the CPU.
    periodic : bool
        Whether OpenMM passes box vectors.
    """

    def __init__(self, path: str, sha256: str, device: str, periodic: bool) -> None:
        self.path = path
        self.sha256 = sha256
        self.device = device
        self.periodic = periodic

    def __reduce__(self) -> tuple[type, tuple[str, str, str, bool]]:
        # The same bytes every time: openmmtools compares serialized Systems.
        return ForceCallback, (self.path, self.sha256, self.device, self.periodic)

    def __call__(self, state: Any) -> tuple[float, Any]:
        """Energy (kJ/mol) and forces (P, 3) (kJ/mol/nm) at an OpenMM State."""
        import torch
        from openmm import unit

        module = load(self.path, self.sha256, self.device)
        device = module.particles.device

        def tensor(quantity: Any) -> torch.Tensor:
            return torch.as_tensor(quantity.value_in_unit(unit.nanometer), device=device)

        points = tensor(state.getPositions(asNumpy=True))
        box = tensor(state.getPeriodicBoxVectors(asNumpy=True)) if self.periodic else None
        energy, forces = module.evaluate(points, box)
        return energy.item(), forces.cpu().numpy()


@lru_cache(maxsize=16)
def load(path: str, expected: str, device: str) -> torch.jit.ScriptModule:
    """A force module on its device, once per process.

    Raises
    ------
    ModelError
        If the file is missing, or is not the one that the System was made with.
    """
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "a NeuralMD force needs PyTorch: pip install torch (see `neuralmd doctor`)"
        ) from error

    check_hash(path, expected)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.jit.load(path, map_location=device)


def check_hash(path: str, expected: str) -> None:
    """Refuse a file that is missing or whose SHA-256 is not the expected one."""
    from ..errors import ModelError
    from ..utils.files import sha256

    if not Path(path).is_file():
        raise ModelError(
            f"{path}: the exported NeuralMD force of this System is missing; "
            "make the force again with NeuralMDForce"
        )
    actual = sha256(path)
    if actual != expected:
        raise ModelError(
            f"{path}: SHA-256 is {actual[:12]}…, but the System was made with {expected[:12]}…; "
            "the file was changed: make the force again with NeuralMDForce"
        )
