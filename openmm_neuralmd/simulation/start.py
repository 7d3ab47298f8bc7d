"""The state a simulation starts from: known snapshots, or the Context's own positions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
import torch
from torch import Tensor

from ..bindingnet.inputs import complex_tensors
from ..structure.complex import Complex
from ..trajectory.history import History, Known
from ..units import nanometers, to_nm, velocity_factor
from ..utils.nested import mapped
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
        are the only known snapshot, or the complex's if the Context has none.

    Raises
    ------
    InputError
        Another number of atoms, or values that are not numbers.
    """
    context, complex = getattr(context, "context", context), model.fitted(complex)
    if known is None:
        complex = complex.with_positions(current_positions(context, complex))
    state = start_state(model, History.of(known, complex))
    positions = complex.positions.copy()
    positions[complex.ligand_sites] = to_nm(state.x[0].numpy())
    velocities = np.zeros_like(positions)
    velocities[complex.ligand_sites] = state.v[0].numpy() * velocity_factor(model.card.interval_ps)
    context.setPositions(positions)
    context.computeVirtualSites()
    context.setVelocities(velocities)
    for name, values in model.dynamics.per_atom(state).items():
        variable = np.zeros_like(positions)
        variable[complex.ligand_sites] = to_nm(values.numpy())
        context.getIntegrator().setPerDofVariableByName(name, variable)
    for name, time in model.dynamics.times(state).items():
        picoseconds = time * model.card.interval_ps
        context.getIntegrator().setGlobalVariableByName(name, picoseconds)
    set_units(context)
    set_lengths(context, state.lengths[0].numpy())
    context.setTime(0.0)
    context.setStepCount(0)


def set_units(context: openmm.Context) -> None:
    """Tell the integrator the units of the NeuralMD forces that the System has.

    Systems that were stored before forces had a scale hold them in kJ/mol/nm.
    """
    for force in find_forces(context.getSystem()):
        if force.quantity != "energy":
            scale = read_artifact(force.path).metadata.get("scale", 1.0)
            name = unit_variable(force.quantity)
            context.getIntegrator().setGlobalVariableByName(name, 1.0 / scale)


def current_positions(context: openmm.Context, complex: Complex) -> np.ndarray:
    """Positions (N, 3) in nm of a Context; the complex's where none were set."""
    positions = nanometers(context.getState(positions=True).getPositions(asNumpy=True))
    # A new Context has zeros, and on GPU platforms virtual sites between them that are no numbers.
    return positions if positions[complex.ligand_sites].any() else complex.positions


def start_state(model: Model, history: History) -> Any:
    """State (B = 1, float64) that a history leaves behind.

    The model's precision is that of its weights; positions keep double precision.
    """
    dynamics: Any = model.dynamics
    dtype = next(dynamics.parameters()).dtype
    c = complex_tensors(history.complex, dtype)
    known = torch.as_tensor(history.ligand, dtype=dtype).unsqueeze(0)
    valid = torch.ones(known.shape[:2], dtype=torch.bool)
    with torch.no_grad():
        state: Any = mapped(dynamics.start(c, known, valid), Tensor.double)
    return state._replace(x=torch.as_tensor(history.ligand[-1:], dtype=torch.float64))
