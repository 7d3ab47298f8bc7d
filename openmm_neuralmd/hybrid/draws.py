"""Drawing of the pose that a jump goes to: a forecast, or one of the learned ensemble."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..bindingnet.chemistry import ligand_chemistry
from ..bindingnet.side_chains import side_chains
from ..dynamics.ou import NeuralOU
from ..dynamics.ou_prediction import predict_complex
from ..dynamics.rigid_torsion import RotatableBonds
from ..dynamics.side_chain_motion import side_chain_motion
from ..errors import ModelError
from ..model import Model
from ..rollouts import rollout
from ..structure.complex import Complex
from ..units import to_angstrom

Array = NDArray[np.float64]


AHEAD = 1000.0
"""ps; longer than every relaxation of NeuralMD-OU but that of the mean."""


class Body(NamedTuple):
    """A residue that is drawn with the ligand.

    Attributes
    ----------
    atoms : (k,) int64
        Index in the topology of its heavy atoms.
    rotatable : RotatableBonds
        Of these atoms.
    """

    atoms: NDArray[np.int64]
    rotatable: RotatableBonds


class Draw(NamedTuple):
    """A pose in the model's frame.

    Attributes
    ----------
    ligand : (n, 3) float64, Å
        Heavy atoms.
    residues : tuple of (k, 3) float64, Å
        Atoms of each of `Drawing.bodies`.
    """

    ligand: Array
    residues: tuple[Array, ...] = ()


class Drawing(Protocol):
    """Base class of the ways to draw a pose.

    Attributes
    ----------
    bodies : tuple of Body
        Residues that are drawn with the ligand.
    """

    bodies: tuple[Body, ...]

    def __call__(self, known: Array, seed: int) -> Draw:
        """Draw the pose after known snapshots (T, n, 3) in Å."""


class Forecast:
    """The snapshot after the known ones."""

    bodies: tuple[Body, ...] = ()

    def __init__(self, model: Model, complex: Complex) -> None:
        self.model, self.complex = model, complex

    def __call__(self, known: Array, seed: int) -> Draw:
        """See `Drawing`."""
        return Draw(rollout(self.model, self.complex, known, 1, seed=seed)[0])


class Independent(Forecast):
    """A pose of the learned ensemble, whatever is known."""

    def __call__(self, known: Array, seed: int) -> Draw:
        """See `Drawing`."""
        return Draw(rollout(self.model, self.complex, None, 1, seed=seed)[0])


class Conditioned(Forecast):
    """A pose of the learned ensemble given the run so far, `AHEAD` after the present.

    By then the process has forgotten where the ligand stands, but not what the known snapshots say
    about its mean: poses follow a ligand that has left the given one.

    Raises
    ------
    ModelError
        The model is no NeuralMD-OU.
    """

    def __init__(self, model: Model, complex: Complex) -> None:
        super().__init__(model, complex)
        if not isinstance(model.dynamics, NeuralOU):
            raise ModelError(
                f"model '{model.card.name}' cannot be conditioned on a run: use draw: independent"
            )
        self.dynamics = model.dynamics
        self.prediction = predict_complex(self.dynamics, complex)

    def __call__(self, known: Array, seed: int) -> Draw:
        """See `Drawing`."""
        now = self.prediction.given(known, self.model.card.interval_ps)
        return Draw(now.trajectories([AHEAD], seed=seed)[0, 0])


class WithPocket(Conditioned):
    """A pose of the learned ensemble given the run so far, with the residues around it.

    Raises
    ------
    ModelError
        The model is no NeuralMD-OU, or knows no motion of residues.
    """

    def __init__(self, model: Model, complex: Complex) -> None:
        super().__init__(model, complex)
        positions = to_angstrom(complex.positions)
        chemistry = ligand_chemistry(complex.chemistry)
        pose = positions[complex.ligand_heavy]
        side = side_chains(complex.topology, positions, chemistry, pose)
        motion = side_chain_motion(self.dynamics, side, self.prediction.process)
        if motion is None:
            raise ModelError(
                f"model '{model.card.name}' moves no residue of this complex: use draw: conditioned"
            )
        self.motion = motion
        self.rows = [rows for rows, _ in motion.makers]
        self.bodies = tuple(
            Body(motion.atoms[rows], maker.rotatable) for rows, maker in motion.makers
        )

    def __call__(self, known: Array, seed: int) -> Draw:
        """See `Drawing`."""
        ligand = super().__call__(known, seed).ligand
        around = self.motion.following(ligand[None, None], np.zeros(1), [seed, 1])[0, 0]
        return Draw(ligand, tuple(around[rows] for rows in self.rows))


DRAWS: dict[str, Callable[[Model, Complex], Drawing]] = {
    "forecast": Forecast,
    "independent": Independent,
    "conditioned": Conditioned,
    "pocket": WithPocket,
}
"""By the setting `draw` of jumps."""
