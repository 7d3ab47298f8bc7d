"""`predict`: from a protein and an SDF to the motion of its ligands, without any parameters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..model import ModelCard, bundled_models, read_card
from ..prepare.chemistry import read_ligand
from ..training import ou_files
from ..units import picoseconds
from ..utils.progress import Advance, silent
from .ensemble import LigandPrediction, predicted
from .pose import molecules, posed, read_protein

MODEL = "neuralmd-ou"
"""The bundled model."""
MOST_SNAPSHOTS = 100_000


def predict(
    protein: str | Path,
    ligand: str | Path,
    *,
    model: str | Path = MODEL,
    molecule: str | None = None,
    time: Any = 200.0,
    interval: Any = 1.0,
    seed: int = 0,
    progress: Advance = silent,
) -> list[LigandPrediction]:
    """Predict the motion of every ligand of an SDF in its pocket, from its pose alone.

    Parameters
    ----------
    protein : path
        PDB or mmCIF; hydrogens and water in it are not used.
    ligand : path
        SDF with 3D poses in the protein's frame.
    model : str or path
        A NeuralMD-OU model: the bundled one, or a file.
    molecule : str, optional
        Title or number (from 1) of the one molecule to predict; all of them by default.
    time, interval : Quantity or float in ps
        Length of each trajectory and time between its snapshots.  The model is exact at any
        interval.
    seed : int
        Seed of all draws.
    progress : callable, optional
        See `utils.progress.Advance`; called after each molecule.

    Returns
    -------
    list of LigandPrediction
        In the order of the file.

    Raises
    ------
    InputError
        A file cannot be read, a pose is not in the pocket, or times make no sense.
    ModelError
        The model file is missing, damaged or of another kind.

    Examples
    --------
    >>> from openmm_neuralmd import predict
    >>> from openmm_neuralmd.examples import predict_example
    >>> protein, ligand = predict_example()
    >>> (results,) = predict(protein, ligand, time=5.0)
    >>> results.snapshots.shape == (5, len(results.pose), 3)
    True
    """
    length, step = picoseconds(time), picoseconds(interval)
    if not 0 < step <= length or not length / step <= MOST_SNAPSHOTS:
        raise InputError(
            f"{length:g} ps in intervals of {step:g} ps is no trajectory of 1 to "
            f"{MOST_SNAPSHOTS:,} snapshots; change the time or the interval"
        )
    path = bundled_models().get(str(model), Path(model))
    wanted = [molecule] if molecule is not None else molecules(ligand)
    results = []
    for one in predictions(protein, ligand, path, wanted, round(length / step), step, seed):
        results.append(one)
        progress(1, one.name)
    return results


def predictions(
    protein: str | Path,
    ligand: str | Path,
    model: Path,
    wanted: list[str],
    snapshots: int,
    interval_ps: float,
    seed: int,
) -> Iterator[LigandPrediction]:
    """The predictions of some molecules, one after the other; see `predict`."""
    network, card = load(model)
    structure = read_protein(protein)
    for name in wanted:
        small = read_ligand(ligand, name)
        complex = posed(structure, small, small.name)
        yield predicted(
            network, card, complex, small, snapshots=snapshots, interval_ps=interval_ps, seed=seed
        )


def load(path: Path) -> tuple[Any, ModelCard]:
    """The network of a model file and its card."""
    return ou_files.load(path), read_card(path)
