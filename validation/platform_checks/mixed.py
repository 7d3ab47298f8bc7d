"""Mixed Systems of openmm-ml: an energy model in the place of a part of the force field."""

from __future__ import annotations

import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import torch
from openmm import unit
from openmmml import MLPotential
from openmmtools.testsystems import LysozymeImplicit

from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.energy import EnergyModel, EnergyModelSettings
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.structure.complex import Complex

from .feature import RELATIVE, Array, Feature, Place
from .learned import lysozyme, with_water

NETWORK = BindingNetSettings(
    hidden=32, vector_channels=8, ligand_layers=2, num_radial=24, head="energy"
)
HALF = 0.5  # lambda_interpolate, at which both force fields count
CUTOFF = 0.9  # nm
ENERGY = 1e5  # kJ/mol; more than the energies here, so that forces decide the scale
TIP3P = ((-0.834, 0.3151, 0.6364), (0.417, 1.0, 0.0), (0.417, 1.0, 0.0))  # e, nm, kJ/mol
MASSES = (15.999, 1.008, 1.008)  # amu


def energy_model(folder: Path) -> Path:
    """A model file with random weights: what it computes is as good for a comparison as any."""
    torch.manual_seed(0)
    settings = EnergyModelSettings(network=NETWORK)
    card = ModelCard(
        name="random",
        kind="bindingnet-energy",
        settings=settings.model_dump(),
        interval_ps=1.0,
        temperature_K=300.0,
        elements=[1, 6],
        residue_types=list(range(21)),
    )
    path = folder / "random.safetensors"
    Model(EnergyModel(settings).eval(), card).save(path)
    return path


def mixed(system: openmm.System, complex: Complex, **options: Any) -> openmm.System:
    """The System with the model for its ligand."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the model has not learned this System's terms
        potential = MLPotential("neuralmd", modelPath=energy_model(Path(folder)))
        return potential.createMixedSystem(
            complex.topology,
            system,
            complex.ligand.tolist(),
            positions=complex.positions,
            embedding="neuralmd",
            precision="double",
            **options,
        )


def in_water(complex: Complex) -> openmm.System:
    """T4 lysozyme and its ligand by Amber, in TIP3P water under a cutoff with reaction field."""
    system = LysozymeImplicit(implicitSolvent=None).system
    nonbonded = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    for first in range(system.getNumParticles(), len(complex.positions), 3):
        for mass, row in zip(MASSES, TIP3P, strict=True):
            system.addParticle(mass)
            nonbonded.addParticle(*row)
        for i, j, length in ((0, 1, 0.09572), (0, 2, 0.09572), (1, 2, 0.15139)):
            system.addConstraint(first + i, first + j, length)
            nonbonded.addException(first + i, first + j, 0.0, 1.0, 0.0)
    nonbonded.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    nonbonded.setCutoffDistance(CUTOFF)
    system.setDefaultPeriodicBoxVectors(*complex.box)
    return system


@cache
def _vacuum() -> tuple[openmm.System, Complex]:
    complex = lysozyme()[1]
    # No constraints: at λ = 0 the ligand's bonds are held by their terms alone.
    system = LysozymeImplicit(constraints=None).system
    return mixed(system, complex, interpolate=True), complex


@cache
def _water() -> tuple[openmm.System, Complex]:
    complex = with_water(lysozyme()[1])
    return mixed(in_water(complex), complex), complex


def _computed(place: Place, system: openmm.System, complex: Complex, **parameters: float) -> Array:
    """Forces on the ligand and on all atoms, each over its largest, and the potential energy."""
    context = place.context(system, openmm.VerletIntegrator(0.001))
    context.setPositions(complex.positions * unit.nanometer)
    for name, value in parameters.items():
        context.setParameter(name, value)
    state = context.getState(energy=True, forces=True)
    forces = np.array(state.getForces(asNumpy=True)._value)
    own = forces[complex.ligand]
    energy = state.getPotentialEnergy()._value
    largest = [np.abs(values).max() for values in (forces, own)]
    return np.concatenate(
        [(forces / largest[0]).ravel(), (own / largest[1]).ravel(), [energy / ENERGY]]
    )


def vacuum(place: Place) -> Array:
    """Compute a mixed System at λ = 0.5 with implicit solvent around it."""
    return _computed(place, *_vacuum(), lambda_interpolate=HALF)


def water(place: Place) -> Array:
    """A mixed System in a box whose atoms GPU platforms reorder."""
    return _computed(place, *_water())


FORCE_FIELD = 2e-4
"""OpenMM's own force field alone deviates by 7e-5 in single precision and by 9e-7 in double."""

MIXED: dict[str, Feature] = {
    "mixed": Feature(
        "openmm-ml mixed System at λ = 0.5, energy and forces", RELATIVE, vacuum, FORCE_FIELD
    ),
    "mixed-reordered": Feature(
        "openmm-ml mixed System in water, atoms reordered", RELATIVE, water, FORCE_FIELD
    ),
}
"""Features of the openmm-ml plug-in, by name."""
