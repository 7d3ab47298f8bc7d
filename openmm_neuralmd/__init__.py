"""Learned protein–ligand binding dynamics in OpenMM (NeuralMD).

Everything a user needs is here; it is loaded when it is first used, so that importing the
package stays fast and needs nothing but OpenMM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import former
from .utils.lazy import at_first_use

if TYPE_CHECKING:
    __version__: str
    from .errors import InputError as InputError
    from .errors import ModelError as ModelError
    from .errors import NeuralMDError as NeuralMDError
    from .errors import SimulationError as SimulationError
    from .examples import example as example
    from .examples import example_complex as example_complex
    from .model import load_model as load_model
    from .prediction.run import predict as predict
    from .rollouts import rollout as rollout
    from .simulation.force import NeuralMDForce as NeuralMDForce
    from .simulation.integrator import NeuralMDIntegrator as NeuralMDIntegrator
    from .simulation.run import simulate as simulate
    from .simulation.start import initialise as initialise
    from .simulation.system import create_system as create_system
    from .structure.complex import Complex as Complex
    from .trajectory.snapshots import Snapshots as Snapshots
    from .trajectory.snapshots import read_snapshots as read_snapshots
    from .trajectory.snapshots import write_trajectory as write_trajectory

_WHERE = {
    "Complex": ".structure.complex",
    "Snapshots": ".trajectory.snapshots",
    "read_snapshots": ".trajectory.snapshots",
    "write_trajectory": ".trajectory.snapshots",
    "example": ".examples",
    "example_complex": ".examples",
    "load_model": ".model",
    "NeuralMDForce": ".simulation.force",
    "NeuralMDIntegrator": ".simulation.integrator",
    "create_system": ".simulation.system",
    "initialise": ".simulation.start",
    "simulate": ".simulation.run",
    "rollout": ".rollouts",
    "predict": ".prediction.run",
    "NeuralMDError": ".errors",
    "InputError": ".errors",
    "ModelError": ".errors",
    "SimulationError": ".errors",
}

__all__ = sorted(_WHERE)  # at most 20: what these do not offer is in the sub-packages
_public = at_first_use(__name__, _WHERE)
former.install()


def __getattr__(name: str) -> Any:
    if name == "__version__":  # importlib.metadata takes longer than all the rest of this file
        from importlib.metadata import version

        return version("openmm_neuralmd")
    return _public(name)


def __dir__() -> list[str]:
    return [*globals(), *__all__, "__version__"]
