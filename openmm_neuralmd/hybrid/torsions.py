"""Rotatable bonds of a ligand as coordinates of Monte Carlo moves: what turns, and where to.

Turning the atoms beyond a bond about it changes one torsion φ and no other internal coordinate.
In the coordinates (φ, rest) the Cartesian volume element is dφ times a factor of the rest alone,
so that the turn has the Jacobian 1, and a proposed angle needs no more than its own density.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.chemistry import ligand_chemistry
from ..dynamics.ou_prediction import Prediction
from ..dynamics.ou_wells import ANGLES, torsion_angles
from ..dynamics.rigid_torsion import rotatable_bonds, rotations
from ..errors import InputError
from ..structure.complex import Complex

Array = NDArray[np.float64]

BINS = 72
WIDTH = 0.35
"""Standard deviation, rad, of an angle about the centre of its well."""
CLOSEST = 0.1
"""nm; atoms that turn come no nearer to others.  Hydrogens without a Lennard-Jones radius, as in
hydroxyl groups, have an energy without a lower bound there, which MD never meets; the moves
sample the distribution outside of it."""
BACKGROUND = 0.05
"""Share of the proposals that are uniform: every angle can be reached and left."""


@dataclass(frozen=True, eq=False)
class Torsion:
    """A bond that turns, and the density of angles that are proposed for it.

    Attributes
    ----------
    quadruple : (4,) int64
        Particles whose dihedral angle is φ; the bond is the one in the middle.
    moving : (m,) int64
        Particles that turn: those beyond the bond, on the side of the fourth.
    density : (B,) float64
        Probability of B equal bins of φ from −π to π; positive, adds up to 1.

    Raises
    ------
    InputError
        The atoms that turn contain the bond's first end or lack the fourth particle, or a
        density is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.hybrid import Torsion
    >>> torsion = Torsion(quadruple=np.arange(4), moving=np.array([3]), density=np.full(12, 1 / 12))
    >>> chain = np.array([[0.1, 0.1, 0], [0, 0.1, 0], [0, 0, 0], [0.1, 0, 0]])  # nm, φ = 0
    >>> turned = torsion.turned(chain, np.pi / 2)
    >>> round(abs(torsion.angle(turned)), 4)
    1.5708
    """

    quadruple: NDArray[np.int64]
    moving: NDArray[np.int64]
    density: Array

    def __post_init__(self) -> None:
        first, inner, _, last = self.quadruple.tolist()
        moving = set(self.moving.tolist())
        if last not in moving or {first, inner} & moving:
            raise InputError(
                f"torsion {self.quadruple.tolist()}: the atoms that turn must contain the fourth "
                "atom and neither the first nor the second"
            )
        if not (self.density > 0).all():
            raise InputError("the density of proposed angles must be positive everywhere")
        object.__setattr__(self, "density", self.density / self.density.sum())

    def angle(self, positions: Array) -> float:
        """φ in rad at positions (N, 3)."""
        return float(torsion_angles(positions[self.quadruple][None], [[0, 1, 2, 3]])[0, 0])

    def turned(self, positions: Array, angle: float, vectors: Array | None = None) -> Array:
        """A copy of positions (N, 3) with φ greater by `angle` rad.

        With `vectors` (N, 3), such as velocities, these turn instead, about the same axis: lengths
        of constraints and the kinetic energy stay.
        """
        _, inner, outer, _ = self.quadruple
        axis = positions[outer] - positions[inner]
        axis = axis / np.linalg.norm(axis)
        pivot = positions[outer] if vectors is None else np.zeros(3)
        out = np.array(positions if vectors is None else vectors)
        arms = out[self.moving] - pivot
        out[self.moving] = pivot + arms @ rotations(axis[None], np.array([angle]))[0]
        return out

    def clashes(self, positions: Array) -> bool:
        """Test whether an atom that turns is nearer than `CLOSEST` to one that does not."""
        others = np.delete(positions, self.moving, axis=0)
        low, high = positions[self.moving].min(axis=0), positions[self.moving].max(axis=0)
        near = ((others > low - CLOSEST) & (others < high + CLOSEST)).all(axis=1)
        apart = positions[self.moving][:, None] - others[near]
        return bool(((apart**2).sum(-1) < CLOSEST**2).any())

    def draw(self, random: np.random.Generator) -> float:
        """An angle from the density, rad."""
        row = random.choice(len(self.density), p=self.density)
        return float(-np.pi + 2 * np.pi * (row + random.random()) / len(self.density))

    def log_density(self, angle: float) -> float:
        """Logarithm of the density at an angle, up to a constant."""
        row = int((angle + np.pi) / (2 * np.pi) * len(self.density)) % len(self.density)
        return float(np.log(self.density[row]))


def well_density(centres: ArrayLike, weights: ArrayLike, width: float = WIDTH) -> Array:
    """Density (B,) of wells: normal about each centre in rad, over a uniform background.

    Examples
    --------
    >>> import numpy as np
    >>> from openmm_neuralmd.hybrid import well_density
    >>> density = well_density([np.pi / 3, -np.pi / 3, np.pi], [0.4, 0.4, 0.2])  # gauche and trans
    >>> bool(density.min() > 0), round(float(density.sum()), 6)
    (True, 1.0)
    """
    angles = -np.pi + 2 * np.pi * (np.arange(BINS) + 0.5) / BINS
    apart = (angles[:, None] - np.asarray(centres) + np.pi) % (2 * np.pi) - np.pi
    peaks = np.exp(-0.5 * (apart / width) ** 2) @ np.asarray(weights, dtype=np.float64)
    return np.asarray((1 - BACKGROUND) * peaks / peaks.sum() + BACKGROUND / BINS)


def ligand_torsions(complex: Complex, prediction: Prediction | None = None) -> list[Torsion]:
    """Every rotatable bond of a complex's ligand, from the outermost inwards.

    Parameters
    ----------
    complex : Complex
        With the ligand's bond orders, from which RDKit's chemistry says which bonds turn.
    prediction : Prediction, optional
        Of NeuralMD-OU for this complex: proposed angles then have the learned probabilities of
        the wells about the given pose; every angle is as likely as any other by default.

    Raises
    ------
    InputError
        The bond orders are not known.

    Examples
    --------
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.hybrid import ligand_torsions
    >>> len(ligand_torsions(example_complex("gpcr-ergotamine"))) > 0
    True
    """
    chemistry = ligand_chemistry(complex.chemistry)
    rotatable, heavy = rotatable_bonds(chemistry), complex.ligand_heavy
    given = torsion_angles(complex.positions[heavy][None], rotatable.quadruples)[0]
    every = np.full((len(given), len(ANGLES)), 1.0)
    weights = every if prediction is None else prediction.wells
    hydrogens = _hydrogens(complex)
    torsions = []
    for row, moving in enumerate(rotatable.moving):
        atoms = heavy[np.flatnonzero(moving)].tolist()
        atoms += [hydrogen for atom in atoms for hydrogen in hydrogens.get(atom, [])]
        density = np.full(BINS, 1.0 / BINS)
        if prediction is not None:
            density = well_density(given[row] + ANGLES, weights[row])
        torsions.append(Torsion(heavy[rotatable.quadruples[row]], np.array(atoms), density))
    return torsions[::-1]


def _hydrogens(complex: Complex) -> dict[int, list[int]]:
    """Particle of each heavy atom of the ligand to those of its hydrogens."""
    heavy = set(complex.ligand_heavy.tolist())
    hydrogens: dict[int, list[int]] = {}
    for bond in complex.ligand[complex.ligand_bonds].tolist():
        for atom, other in (bond, bond[::-1]):
            if atom in heavy and other not in heavy:
                hydrogens.setdefault(atom, []).append(other)
    return hydrogens
