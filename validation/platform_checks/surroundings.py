"""Learned forces beside all-atom ones: Hamiltonian Monte Carlo, and jumps with their relaxation."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import openmm
import openmmtools
from openmm import unit
from openmmtools import cache as contexts
from openmmtools import states

from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove
from openmm_neuralmd.hybrid.jump import JUMPED, NeuralMDJumpMove
from openmm_neuralmd.hybrid.relaxation import Quench
from openmm_neuralmd.hybrid.settings import JumpSettings
from openmm_neuralmd.md.settings import MDSettings
from openmm_neuralmd.model import load_model
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.units import nanometers, to_angstrom
from openmm_neuralmd.utils.platforms import choose_platform

from .feature import ANGSTROM, RELATIVE, Array, Feature, Place
from .learned import RIGID

MOVES, STEPS, TIMESTEP = 3, 5, 0.0005  # ps
TEMPERATURE = 300.0 * unit.kelvin
AMBER = Path(openmmtools.__file__).parent / "data" / "T4-lysozyme-L99A-implicit"
RELAXATION_PS = 0.2


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


def jump_move(place: Place, folder: Path) -> NeuralMDJumpMove:
    """A jump of T4 lysozyme's ligand on a platform; the complex folder is made in `folder`."""
    complex = import_amber(AMBER / "complex.prmtop", AMBER / "complex.crd", folder / "complex")
    md = MDSettings(
        mode="pocket",
        pocket_radius=0.5,
        shell_radius=0.9,
        platform=place.platform,
        properties=place.properties,
        friction=1e-6,  # 1/ps: hardly any noise, of which each platform draws its own
    )
    settings = JumpSettings(relax_ps=RELAXATION_PS, iterations=50)
    return NeuralMDJumpMove("pocket", complex.path, md=md, settings=settings, seed=2)


def jump(place: Place) -> Array:
    """A whole move: the minimised pose, and positions after the MD that follows, Å.

    Not a number where the jump was dropped.
    """
    with tempfile.TemporaryDirectory() as folder:
        move = jump_move(place, Path(folder))
        sampler = move.sampler_state()
        cache_here = contexts.ContextCache(choose_platform(place.platform), place.properties)
        move.apply(move.thermodynamic_state(), sampler, cache_here)
    if move.last is None or move.last.kind != JUMPED or move.last.relaxed is None:
        return np.full((2, len(move.complex.positions), 3), np.nan)
    return to_angstrom(np.array([move.last.relaxed, nanometers(sampler.positions)]))


SURROUNDINGS: dict[str, Feature] = {
    "hmc": Feature("hybrid Monte Carlo, three moves", ANGSTROM, hmc),
    "quench": Feature("relaxation of a jump, energies", RELATIVE, quench_energy, least=1e-3),
    # Where a minimisation ends is less sharp than its energy.
    "jump": Feature("whole jump with its relaxation, all atoms", ANGSTROM, jump, least=2e-2),
}
"""Features of learned forces beside others, by name."""
