"""`predict`: from a protein and an SDF to the motion of its ligands, without any parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rdkit import Chem

from ..dynamics.ou import NeuralOU
from ..errors import InputError
from ..model import ModelCard, bundled_models, read_card
from ..prepare.chemistry import Ligand, checked, chosen, titled
from ..structure.complex import Complex
from ..structure.readers import Structure, existing
from ..training import ou_files
from ..units import picoseconds
from ..utils.files import sha256
from ..utils.progress import Advance, silent
from .ensemble import LigandPrediction, predicted
from .pose import posed, read_protein

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

    See Also
    --------
    openmm_neuralmd.prediction.many.predict_many : many ligands, to files, in several processes.

    Examples
    --------
    >>> from openmm_neuralmd import predict
    >>> from openmm_neuralmd.examples import predict_example
    >>> protein, ligand = predict_example()
    >>> (results,) = predict(protein, ligand, time=5.0)
    >>> results.snapshots.shape == (5, len(results.pose), 3)
    True
    """
    request = Request.of(protein, ligand, model=model, time=time, interval=interval, seed=seed)
    results = []
    for number in request.wanted(molecule):
        results.append(request.predict(request.ligand(number)))
        progress(1, results[-1].name)
    return results


@dataclass(frozen=True)
class Request:
    """Request of a prediction; its files are read once, when they are needed.

    Attributes
    ----------
    protein, sdf, model : Path
        Absolute, since other processes may read them.
    snapshots : int
    interval_ps : float
    seed : int
    """

    protein: Path
    sdf: Path
    model: Path
    snapshots: int
    interval_ps: float
    seed: int

    @classmethod
    def of(
        cls,
        protein: str | Path,
        sdf: str | Path,
        *,
        model: str | Path = MODEL,
        time: Any = 200.0,
        interval: Any = 1.0,
        seed: int = 0,
    ) -> Request:
        """Check the arguments of `predict`.

        Raises
        ------
        InputError
        """
        length, step = picoseconds(time), picoseconds(interval)
        if not 0 < step <= length or not length / step <= MOST_SNAPSHOTS:
            raise InputError(
                f"{length:g} ps in intervals of {step:g} ps is no trajectory of 1 to "
                f"{MOST_SNAPSHOTS:,} snapshots; change the time or the interval"
            )
        path = bundled_models().get(str(model), Path(model))
        files = (existing(protein).resolve(), existing(sdf).resolve(), path.resolve())
        return cls(*files, round(length / step), step, seed)

    @cached_property
    def structure(self) -> Structure:
        """The protein."""
        return read_protein(self.protein)

    @cached_property
    def network(self) -> tuple[NeuralOU, ModelCard]:
        """The network of the model file and its card."""
        return ou_files.load(self.model), read_card(self.model)

    @cached_property
    def molecules(self) -> list[tuple[Chem.Mol | None, str]]:
        """The molecules of the SDF, not checked yet, and their titles."""
        return titled(self.sdf)

    def wanted(self, molecule: str | None) -> list[int]:
        """Numbers, from 0, of all molecules, or of the one with this title or number from 1.

        Raises
        ------
        InputError
            The SDF holds no molecule, none of that name, or several.
        """
        titles = [title for _, title in self.molecules]
        if molecule is None and len(titles) > 1:
            return list(range(len(titles)))
        return [chosen(self.sdf, titles, molecule)]

    def title(self, number: int) -> str:
        """Name of a molecule, counted from 0."""
        return self.molecules[number][1] or self.sdf.stem

    def ligand(self, number: int) -> Ligand:
        """A molecule of the SDF, counted from 0.

        Raises
        ------
        InputError
            See `prepare.chemistry.read_ligand`.
        """
        title = self.title(number)
        return checked(self.molecules[number][0], title, f"{self.sdf.name}: molecule {title!r}")

    def complex(self, ligand: Ligand) -> Complex:
        """The ligand in the protein."""
        return posed(self.structure, ligand, ligand.name)

    def predict(self, ligand: Ligand) -> LigandPrediction:
        """Predict one ligand."""
        network, card = self.network
        return predicted(
            network,
            card,
            self.complex(ligand),
            ligand,
            snapshots=self.snapshots,
            interval_ps=self.interval_ps,
            seed=self.seed,
        )

    def identity(self) -> str:
        """Hashes and settings that decide the prediction."""
        files = [sha256(path) for path in (self.protein, self.sdf, self.model)]
        return " ".join([*files, str(self.snapshots), f"{self.interval_ps:.17g}", str(self.seed)])
