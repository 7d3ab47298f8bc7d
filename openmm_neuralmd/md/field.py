"""Field of fixed atoms that acts on a ligand, in matrix form: mode rigid on a CPU.

OpenMM's CPU platform goes through an interaction group pair by pair.  All pairs at once are a few
passes over an array of ligand × protein, with the same numbers in a fraction of the time
(`validation/engines.py` measures both).  System files keep the CustomNonbondedForce of
`interaction`, which any program reads; this stands in for it while a run lasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray

from ..utils.platforms import ON_CPU, choose_platform
from .interaction import dielectric_of
from .modes import GROUPS, Setup
from .settings import MDSettings

Array = NDArray[np.float64]


class Field:
    """Energy and forces of a ligand at an OpenMM State; what a PythonForce calls.

    Parameters
    ----------
    sites : (K, 3) float64, nm
        Atoms that stand still.
    site_parameters, ligand_parameters : (K, 3) and (L, 3) float64
        As in the CustomNonbondedForce: charge, radius, depth.
    dielectric : str
        See `interaction.ELECTROSTATICS`.
    """

    def __init__(
        self, sites: Array, site_parameters: Array, ligand_parameters: Array, dielectric: str
    ) -> None:
        self._made_of = (sites, site_parameters, ligand_parameters, dielectric)
        self.screened = dielectric == "4r"
        self.centre = sites.mean(axis=0)
        self.sites = sites - self.centre
        self.squares = np.square(self.sites).sum(axis=1)
        (q, s, d), (p, t, e) = ligand_parameters.T, site_parameters.T
        sixth = np.add.outer(s, t) ** 6
        self.coulomb = np.multiply.outer(q, p)
        self.attraction = np.multiply.outer(d, e) * sixth
        self.repulsion = self.attraction * sixth

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return Field, self._made_of

    def __call__(self, state: openmm.State) -> tuple[float, Array]:
        """Energy in kJ/mol and forces (L, 3) in kJ/mol/nm."""
        return self.evaluate(np.asarray(state.getPositions(asNumpy=True)._value))

    def evaluate(self, positions: Array) -> tuple[float, Array]:
        """Energy in kJ/mol and forces (L, 3) in kJ/mol/nm at positions (L, 3) in nm.

        With u = 1/r², E = C u + A u⁶ − B u³ (vacuum: C √u), and the force on atom i is
        Σ_j w_ij (x_i − x_j), w = 2 u² dE/du: two products of matrices.
        """
        x = positions - self.centre
        u = np.square(x).sum(axis=1)[:, None] + self.squares - 2.0 * (x @ self.sites.T)
        np.reciprocal(u, out=u)
        cube = u * u * u
        repulsion = self.repulsion * cube
        slope = 3.0 * u * u * (2.0 * repulsion - self.attraction)
        energy = np.vdot(cube, repulsion - self.attraction)
        if self.screened:
            energy += np.vdot(self.coulomb, u)
            slope += self.coulomb
        else:
            root = np.sqrt(u)
            energy += np.vdot(self.coulomb, root)
            slope += self.coulomb / (2.0 * root)
        weight = 2.0 * u * u * slope
        return float(energy), x * weight.sum(axis=1)[:, None] - weight @ self.sites


def running_system(setup: Setup, settings: MDSettings) -> openmm.System:
    """Copy the System for a Context; on a CPU a `Field` may replace a force."""
    system = openmm.XmlSerializer.clone(setup.system)
    if choose_platform(settings.platform).getName() not in ON_CPU:
        return system
    for index, force in enumerate(system.getForces()):
        if force.getForceGroup() == GROUPS["interaction"]:
            system.addForce(_python_force(setup, force))
            system.removeForce(index)
            break
    return system


def interaction_field(positions: Array, force: openmm.CustomNonbondedForce) -> Field:
    """`Field` that replaces a force of `interaction`; positions (N, 3) of the whole in nm."""
    parameters = np.array([force.getParticleParameters(i) for i in range(force.getNumParticles())])
    own, others = (sorted(group) for group in force.getInteractionGroupParameters(0))
    return Field(positions[others], parameters[others], parameters[own], dielectric_of(force))


def _python_force(setup: Setup, force: openmm.CustomNonbondedForce) -> openmm.PythonForce:
    python = openmm.PythonForce(interaction_field(setup.complex.positions, force))
    python.setParticles(sorted(force.getInteractionGroupParameters(0)[0]))
    python.setForceGroup(GROUPS["interaction"])
    return python
