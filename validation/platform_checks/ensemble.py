"""NeuralMD-OU inside OpenMM: its own native forces and step."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch

from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.prediction.pose import posed, read_protein
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system
from openmm_neuralmd.structure.complex import Complex

from .feature import ANGSTROM, Array, Feature, Place
from .learned import SNAPSHOTS, positions

STRIDE = 3.0  # ps


@cache
def mcl1() -> tuple[Model, Complex]:
    """MCL1 with its ligand, whose torsions stay in the wells that they start in."""
    model = load_model("neuralmd-ou").at_interval(STRIDE)
    with torch.no_grad():
        model.dynamics.log_hop_rate.fill_(-math.inf)
    protein, ligand = predict_example()
    return model, posed(read_protein(protein), read_ligand(ligand), "mcl1")


def relaxing(place: Place) -> Array:
    """Relax a drawn start towards the mean, without noise, which each platform draws itself."""
    model, complex = mcl1()
    integrator = NeuralMDIntegrator(model, complex=complex)
    integrator.setRandomNumberSeed(5)
    context = place.context(create_system(model, complex), integrator)
    initialise(context, model, complex)
    integrator.setGlobalVariableByName("scale", 0.0)
    frames = []
    for _ in range(SNAPSHOTS):
        integrator.step(1)  # a step is a snapshot
        frames.append(positions(context))
    return np.array(frames)


ENSEMBLE: dict[str, Feature] = {
    "ou": Feature("NeuralMD-OU without noise, 20 snapshots", ANGSTROM, relaxing),
}
"""Features of the one-structure model, by name."""
