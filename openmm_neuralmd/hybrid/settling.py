"""Settling of a drawn pose into its surroundings: by minimisation, or by dragging."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
import openmm
from openmm import unit

from ..md.masses import masses
from ..structure.complex import Complex
from ..units import to_angstrom, to_nm
from .drag import ligand_bonds_that_turn, pose_path, turned
from .draws import Body
from .engines import Dragged, Engine, Place
from .relaxation import Quench
from .settings import JumpSettings


class Drawn(NamedTuple):
    """A pose that is to be settled; positions (N, 3) in nm.

    Attributes
    ----------
    whole : (N, 3) float64
        Everything as it is, in one image.
    raw : (N, 3) float64
        The same with the ligand and `bodies` at the drawn pose.
    box : (3, 3) float64, nm, or None
    bodies : tuple of Body
        Residues that were drawn with the ligand.
    """

    whole: np.ndarray
    raw: np.ndarray
    box: np.ndarray | None
    bodies: tuple[Body, ...] = ()


class Settling(Protocol):
    """Base class of the ways to bring a sampler state to a drawn pose."""

    def __call__(self, drawn: Drawn, place: Place, seed: int) -> tuple[np.ndarray, float]:
        """Positions (N, 3) in nm, which the sampler state then has, and the energy of the way.

        The energy in kJ/mol is what `JumpSettings.energy_window` is compared with.
        """


class Minimising:
    """The pose minimised with the heavy atoms held; its energy less that of the pose before.

    The pose before is minimised in the same surroundings.  Velocities are forgotten.
    """

    def __init__(
        self, system: openmm.System, complex: Complex, settings: JumpSettings, engine: Engine
    ) -> None:
        self.system, self.complex, self.settings = system, complex, settings

    def __call__(self, drawn: Drawn, place: Place, seed: int) -> tuple[np.ndarray, float]:
        """See `Settling`."""
        chosen, poses = self.settings, (drawn.whole, drawn.raw)
        quench = Quench(
            self.system, self.complex, poses, chosen.radius, chosen.stiffness, place.target
        )
        _, reference = quench(drawn.whole, drawn.box, chosen.iterations)
        relaxed, reached = quench(drawn.raw, drawn.box, chosen.iterations)
        place.sampler_state.positions = relaxed * unit.nanometer
        place.sampler_state.velocities = None
        return relaxed, reached - reference


class Dragging:
    """The ligand dragged from where it is; the energy is the work of its restraints.

    Residues that were drawn with it are dragged at the same time, as far as they can move.
    """

    def __init__(
        self, system: openmm.System, complex: Complex, settings: JumpSettings, engine: Engine
    ) -> None:
        self.ligand = Body(complex.ligand_heavy, ligand_bonds_that_turn(complex))
        self.moving = masses(system) > 0
        self.settings, self.engine = settings, engine

    def __call__(self, drawn: Drawn, place: Place, seed: int) -> tuple[np.ndarray, float]:
        """See `Settling`."""
        bodies = (self.ligand, *drawn.bodies)
        atoms = np.concatenate([body.atoms for body in bodies])
        here, there = to_angstrom(drawn.whole), to_angstrom(drawn.raw)
        turn = max(
            np.abs(turned(here[own], there[own], bonds)).max(initial=0.0) for own, bonds in bodies
        )
        stages, steps = self.engine.stages(self.settings.drag_ps, turn)
        paths = [pose_path(here[own], there[own], bonds, stages) for own, bonds in bodies]
        free = self.moving[atoms]
        place.sampler_state.positions = drawn.whole * unit.nanometer
        path = to_nm(np.concatenate(paths, axis=1)[:, free])
        work = self.engine.drag(
            place,
            Dragged(path, atoms[free], self.settings.stiffness),
            steps=steps,
            seed=seed + 2,  # the MD after it takes seed + 1
        )
        own = float(work[: self.moving[self.ligand.atoms].sum()].sum())
        return np.asarray(place.sampler_state.positions.value_in_unit(unit.nanometer)), own


SETTLING: dict[str, Callable[[openmm.System, Complex, JumpSettings, Engine], Settling]] = {
    "minimise": Minimising,
    "drag": Dragging,
}
"""By the setting `relaxation` of jumps."""
