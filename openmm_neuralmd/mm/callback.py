"""The Python side of a PythonForce: small, picklable, and unable to fail while being unpickled.

OpenMM unpickles it when it reads a System; an exception there would end the process.  So it holds
a path, a hash and a device, and everything that can go wrong waits for the first evaluation, where
an exception becomes an OpenMMException.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


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
        with torch.enable_grad():  # an energy is differentiated, whatever the caller's setting
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
    from ..files import sha256

    if not Path(path).is_file():
        raise ModelError(
            f"{path}: the exported NeuralMD force of this System is missing; "
            "make the force again with NeuralMDForce"
        )
    found = sha256(path)
    if found != expected:
        raise ModelError(
            f"{path}: SHA-256 is {found[:12]}…, but the System was made with {expected[:12]}…; "
            "the file was changed: make the force again with NeuralMDForce"
        )
