"""Learned forces beside all-atom ones: Hamiltonian Monte Carlo and the relaxation of jumps."""

from __future__ import annotations

from functools import cache

import numpy as np
import openmm
from openmm import unit
from openmmtools import cache as contexts
from openmmtools import states

from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove
from openmm_neuralmd.hybrid.relaxation import Quench
from openmm_neuralmd.model import load_model
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.units import nanometers, to_angstrom
from openmm_neuralmd.utils.platforms import choose_platform

from .feature import ANGSTROM, RELATIVE, Array, Feature, Place
from .learned import RIGID

MOVES, STEPS, TIMESTEP = 3, 5, 0.0005  # ps
TEMPERATURE = 300.0 * unit.kelvin


@cache
def labelled() -> LabelledRun:
    """TYK2's ligand among fixed atoms, with the force field of its labels."""
    return LabelledRun.open(RIGID)


def hmc(place: Place) -> Array:
    """Positions after moves that a learned energy proposes and the force field accepts."""
    run = labelled()
    force = NeuralMDForce(load_model("tyk2-energy"), run.complex, precision="double")
    ligand = run.complex.ligand.tolist()
    move = NeuralMDHMCMove(force, ligand, n_steps=STEPS, timestep=TIMESTEP, seed=1)
    thermodynamic = states.ThermodynamicState(run.system, TEMPERATURE)
    sampler = states.SamplerState(run.complex.positions * unit.nanometer)
    cache_here = contexts.ContextCache(choose_platform(place.platform), place.properties)
    frames = []
    for _ in range(MOVES):
        move.apply(thermodynamic, sampler, cache_here)
        frames.append(to_angstrom(nanometers(sampler.positions)))
    return np.array(frames)


def quench_energy(place: Place) -> Array:
    """Energies in kJ/mol before and after the restrained minimisation of a jump."""
    run = labelled()
    target = place.context(run.system, openmm.VerletIntegrator(0.001))
    pose = run.complex.positions
    quench = Quench(run.system, run.complex, [pose], 0.5, 1000.0, target)
    _, energy = quench(pose, None, 50)
    target.setPositions(pose)
    start = target.getState(energy=True).getPotentialEnergy()._value
    return np.array([start, energy])


SURROUNDINGS: dict[str, Feature] = {
    "hmc": Feature("hybrid Monte Carlo, three moves", ANGSTROM, hmc),
    "quench": Feature("relaxation of a jump, energies", RELATIVE, quench_energy, least=1e-3),
}
"""Features of learned forces beside others, by name."""
