"""What methods are called where people read."""

from __future__ import annotations

from collections.abc import Collection

from ..assessment.stretch import MEAN
from ..dynamics.naive import TRIVIAL

_TITLES = {
    "neuralmd-ode": "NeuralMD-ODE",
    "neuralmd-sde": "NeuralMD-SDE",
    "verletmd": "VerletMD",
    "gnn-md": "GNN-MD",
    "denoising-ld": "DenoisingLD",
    "cg-md": "CG-MD",
    "persistence": "standing still",
    "mean": "mean structure",
    "recent-mean": "recent mean",
    "projected-recent-mean": "projected recent mean",
    "ar1": "AR(1)",
    "replay": "replay of the known",
}


def title(method: str) -> str:
    """A method's name in a sentence or a table."""
    kind = method.removesuffix(MEAN)
    return _TITLES.get(kind, kind) + method[len(kind) :]


def trivial(methods: Collection[str]) -> list[str]:
    """Those of some methods that are trivial forecasts, in the registry's order."""
    return [name for name in TRIVIAL if name in methods]
