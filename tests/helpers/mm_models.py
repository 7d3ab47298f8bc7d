"""Small models with random weights, for the tests of everything that touches OpenMM."""

from __future__ import annotations

import numpy as np
import openmm
import torch

from openmm_neuralmd.bindingnet.settings import BindingNetSettings
from openmm_neuralmd.dynamics.energy import EnergyModel, EnergyModelSettings
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.model import Model, ModelCard
from openmm_neuralmd.structure.complex import Complex

SMALL = {"hidden": 16, "ligand_layers": 1, "num_radial": 8, "vector_channels": 4}
INTERVAL = 80.0  # ps


def make_model(
    head: str = "force",
    dtype=torch.float64,
    seed: int = 0,
    kind: str = "neuralmd-ode",
    pocket_cutoff: float | None = None,
    **settings,
) -> Model:
    """A dynamics, or an energy model, whose forces are large enough to be seen in a test."""
    torch.manual_seed(seed)
    network = BindingNetSettings(**SMALL, head=head, pocket_cutoff=pocket_cutoff)
    if head == "energy":
        kind, settings = "bindingnet-energy", EnergyModelSettings(network=network)
        dynamics = EnergyModel(settings)
    else:
        settings = LEARNED[kind].settings_class(network=network, **settings)
        dynamics = LEARNED[kind](settings)
    with torch.no_grad():
        for name, parameter in dynamics.named_parameters():
            if "head" in name and name.endswith("weight"):
                parameter.mul_(2.0)
    card = ModelCard(
        name="random",
        kind=kind,
        settings=settings.model_dump(),
        interval_ps=INTERVAL,
        temperature_K=300.0,
        elements=[6, 7, 8],
        residue_types=list(range(21)),
    )
    return Model(dynamics.to(dtype).eval(), card)


def make_known(complex: Complex, snapshots: int = 4) -> np.ndarray:
    """Known snapshots (T, n, 3) in Å that wander about the complex's own."""
    here = complex.positions[complex.ligand_heavy] * 10.0
    noise = np.random.default_rng(1).normal(size=(snapshots, *here.shape))
    return here + 0.1 * np.cumsum(noise, axis=0)


def make_context(system, platform: str = "Reference", positions=None, integrator=None):
    """A Context at `positions` in nm."""
    integrator = integrator or openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(platform))
    if positions is not None:
        context.setPositions(positions)
    return context


def bare_system(complex: Complex, *forces) -> openmm.System:
    """A System of the complex's particles, all of 12 amu, with these forces only."""
    system = openmm.System()
    for _ in complex.positions:
        system.addParticle(12.0)
    if complex.box is not None:
        system.setDefaultPeriodicBoxVectors(*complex.box)
    for force in forces:
        system.addForce(force)
    return system


def energy_and_forces(system, positions, platform: str = "Reference", groups=-1):
    """kJ/mol and (N, 3) kJ/mol/nm."""
    context = make_context(system, platform, positions)
    state = context.getState(energy=True, forces=True, groups=groups)
    return state.getPotentialEnergy()._value, np.array(state.getForces(asNumpy=True)._value)


def relative_error(a, b) -> float:
    """Largest difference over the largest value."""
    return float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())
