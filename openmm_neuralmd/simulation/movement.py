"""Movement of a simulated ligand, and the kind of trajectory that a model gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..analysis.fluctuation import WINDOW, rmsf_windows
from ..errors import InputError
from ..model import Model
from ..rollouts import rollout
from ..structure.complex import Complex
from ..trajectory.history import History
from ..trajectory.snapshots import read_snapshots

STILL = 0.02
"""RMSF in Å below which a ligand stands still; atoms of bound ligands have 0.2 Å and more in MD."""
ENSEMBLE = "one member of an ensemble: a single future, drawn with noise"
MEAN = (
    "a forecast of the mean, without noise: it is smoother than MD, and its fluctuation is not "
    "that of the molecule"
)


def trajectory_kind(model: Model) -> str:
    """Say in words whether trajectories of a model are forecasts of the mean, or an ensemble."""
    return ENSEMBLE if model.dynamics.stochastic else MEAN


def mean_rmsf(x: np.ndarray) -> float | None:
    """RMSF in windows of `WINDOW` snapshots, the mean over windows and atoms, in Å.

    Parameters
    ----------
    x : array (T, n, 3)
        Successive snapshots, Å.

    Returns
    -------
    float or None
        None for fewer snapshots than a window has.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.simulation.movement import mean_rmsf
    >>> mean_rmsf(np.zeros((10, 4, 3)))
    0.0
    >>> mean_rmsf(np.zeros((2, 4, 3))) is None
    True
    """
    return float(rmsf_windows(x).mean()) if len(x) >= WINDOW else None


def check_movement(model: Model, history: History) -> None:
    """Refuse a start from a single structure from which the model does not move.

    A model starts at rest from one structure. Whether it then moves is measured on a forecast of
    `WINDOW` snapshots.

    Parameters
    ----------
    model : Model
    history : History
        The known snapshots; one for the structure alone, or none.

    Raises
    ------
    InputError
        Less than two snapshots are known, and the ligand stands still.
    """
    if len(history) > 1 or model.dynamics.least_known == 0:
        return
    moved = mean_rmsf(rollout(model, history.complex, history, WINDOW))
    if moved is None or moved < STILL:
        raise InputError(
            f"only one structure of {history.complex.name} is known, and model "
            f"'{model.card.name}' stands still from there (RMSF {moved:.1g} Å): "
            "such a trajectory is no simulation. Give a known stretch of MD with --trajectory"
        )


def simulated_rmsf(trajectory: Path, model: Model, complex: Complex) -> float | None:
    """Read the trajectory of a run, and return its `mean_rmsf` in Å."""
    snapshots = read_snapshots(trajectory, model.fitted(complex), interval=model.card.interval_ps)
    return mean_rmsf(snapshots.ligand)
