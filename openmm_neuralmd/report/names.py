"""Display names of methods in tables and reports."""

from __future__ import annotations

from collections.abc import Collection

from ..assessment.contestants import ABLATED, MEAN
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
    """Display name of a method, with a suffix such as ', F = 0'.

    Examples
    --------
    >>> from openmm_neuralmd.report.names import title
    >>> title("neuralmd-sde (mean of futures)")
    'NeuralMD-SDE (mean of futures)'
    """
    kind = method.removesuffix(MEAN).removesuffix(ABLATED)
    return _TITLES.get(kind, kind) + method[len(kind) :]


def baselines(methods: Collection[str]) -> list[str]:
    """Select the naive baselines among some methods, in the order of their registry."""
    return [name for name in TRIVIAL if name in methods]
