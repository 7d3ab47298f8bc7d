"""Learned protein–ligand binding dynamics in OpenMM (NeuralMD).

Everything a user needs is here; it is loaded when it is first used, so that importing the
package stays fast and needs nothing but OpenMM.
"""

from __future__ import annotations

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .complexes import Complex as Complex
    from .dynamics import rollout as rollout
    from .errors import InputError as InputError
    from .errors import ModelError as ModelError
    from .errors import NeuralMDError as NeuralMDError
    from .errors import SimulationError as SimulationError
    from .examples import example as example
    from .examples import example_complex as example_complex
    from .mm.force import NeuralMDForce as NeuralMDForce
    from .mm.integrator import NeuralMDIntegrator as NeuralMDIntegrator
    from .mm.run import simulate as simulate
    from .mm.start import initialise as initialise
    from .mm.system import create_system as create_system
    from .training import load_model as load_model
    from .trajectories import Snapshots as Snapshots
    from .trajectories import read_snapshots as read_snapshots
    from .trajectories import write_trajectory as write_trajectory

_WHERE = {
    "Complex": "complexes",
    "Snapshots": "trajectories",
    "read_snapshots": "trajectories",
    "write_trajectory": "trajectories",
    "example": "examples",
    "example_complex": "examples",
    "load_model": "training",
    "NeuralMDForce": "mm.force",
    "NeuralMDIntegrator": "mm.integrator",
    "create_system": "mm.system",
    "initialise": "mm.start",
    "simulate": "mm.run",
    "rollout": "dynamics",
    "NeuralMDError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
    "SimulationError": "errors",
}

__all__ = sorted(_WHERE)
__version__ = metadata.version("openmm_neuralmd")


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
