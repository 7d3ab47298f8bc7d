"""The state a simulation starts from: known snapshots, or the Context's own positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import openmm

from ..dynamics.in_openmm import OpenMMStart
from ..structure.complex import Complex
from ..trajectory.history import History, Known
from ..units import nanometers, to_nm, velocity_factor
from .export import read_artifact
from .fixed_point import unit_variable
from .force import find_forces
from .projection import set_lengths

if TYPE_CHECKING:
    from ..model import Model


def initialise(
    context: openmm.Context | openmm.app.Simulation,
    model: Model,
    complex: Complex,
    known: Known = None,
) -> None:
    """Set positions, velocities, what else the dynamics remembers, time 0 and step 0.

    Parameters
    ----------
    context : Context or Simulation
        With a `NeuralMDIntegrator`, or the CustomIntegrator that XML made of one.
    known : History, Snapshots or array (T, n, 3) in Å, optional
        Ligand heavy atoms up to the present, the present last, superposed on the complex.  Two
        or more give a velocity, all of them the memory.  Without it the Context's own positions
        are the only known snapshot, or the complex's if the Context has none; a model that
        starts from one structure then knows no snapshot at all.

    Raises
    ------
    InputError
        Another number of atoms, or values that are not numbers.

    Examples
    --------
    >>> import openmm
    >>> from openmm_neuralmd import NeuralMDIntegrator, create_system
    >>> from openmm_neuralmd import example, initialise, load_model
    >>> known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine")
    >>> system = create_system(model, known.complex, known, backend="PythonForce")
    >>> reference = openmm.Platform.getPlatformByName("Reference")
    >>> context = openmm.Context(system, NeuralMDIntegrator(model), reference)
    >>> initialise(context, model, known.complex, known)
    >>> context.getTime()
    0.0 ps
    """
    context, complex = getattr(context, "context", context), model.fitted(complex)
    integrator, least = context.getIntegrator(), model.dynamics.least_known
    if known is None and least > 0:
        complex = complex.with_positions(current_positions(context, complex))
    history = History.of(known, complex, least)
    start = openmm_start(model, history, integrator.getRandomNumberSeed())
    positions = complex.positions.copy()
    positions[complex.ligand_sites] = to_nm(start.x)
    velocities = np.zeros_like(positions)
    velocities[complex.ligand_sites] = start.v * velocity_factor(model.card.interval_ps)
    context.setPositions(positions)
    context.computeVirtualSites()
    context.setVelocities(velocities)
    for name, values in start.per_dof.items():
        variable = np.zeros_like(positions)
        variable[complex.ligand_sites] = values
        integrator.setPerDofVariableByName(name, variable)
    for name, value in start.scalars.items():
        integrator.setGlobalVariableByName(name, value)
    set_units(context)
    set_lengths(context, start.lengths)
    set_parameters(context, start.forces)
    context.setTime(0.0)
    context.setStepCount(0)


def set_units(context: openmm.Context) -> None:
    """Give the integrator the units of the System's NeuralMD forces.

    Systems that were stored before forces had a scale hold them in kJ/mol/nm.
    """
    for force in find_forces(context.getSystem()):
        if force.quantity != "energy":
            scale = read_artifact(force.path).metadata.get("scale", 1.0)
            name = unit_variable(force.quantity)
            context.getIntegrator().setGlobalVariableByName(name, 1.0 / scale)


def set_parameters(context: openmm.Context, forces: Sequence[openmm.Force]) -> None:
    """Give native forces of a Context, and of its System, the parameters of others by their names.

    Parameters
    ----------
    forces : sequence of Force
        Of the same terms: CustomCompoundBondForce, CustomBondForce or CustomExternalForce.
    """
    others = {force.getName(): force for force in forces}
    for force in context.getSystem().getForces():
        other = others.get(force.getName())
        if other is None:
            continue
        if isinstance(other, openmm.CustomExternalForce):
            for term in range(other.getNumParticles()):
                force.setParticleParameters(term, *other.getParticleParameters(term))
        else:
            for term in range(other.getNumBonds()):
                force.setBondParameters(term, *other.getBondParameters(term))
        force.updateParametersInContext(context)


def current_positions(context: openmm.Context, complex: Complex) -> np.ndarray:
    """Positions (N, 3) in nm of a Context; the complex's where none were set."""
    positions = nanometers(context.getState(positions=True).getPositions(asNumpy=True))
    # A new Context has zeros, and on GPU platforms virtual sites between them that are no numbers.
    return positions if positions[complex.ligand_sites].any() else complex.positions


def openmm_start(model: Model, history: History, seed: int = 0) -> OpenMMStart:
    """State that a history leaves behind, for the integrator."""
    inside = model.dynamics.inside_openmm(history.complex)
    return inside.openmm_start(history.complex, history.ligand, model.card.interval_ps, seed)
