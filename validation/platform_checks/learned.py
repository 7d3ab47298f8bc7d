"""The learned dynamics inside OpenMM: forces, steps, virtual sites, checkpoints, reporters."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import mdtraj
import numpy as np
import openmm
from openmm import app, unit
from scipy.spatial import cKDTree

from openmm_neuralmd.examples import example, example_complex
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.simulation.integrator import NeuralMDIntegrator
from openmm_neuralmd.simulation.start import initialise
from openmm_neuralmd.simulation.system import create_system
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.residues import selection_of
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.units import nanometers, to_angstrom
from openmm_neuralmd.utils.platforms import choose_platform

from .feature import ANGSTROM, RELATIVE, Array, Feature, Place

SNAPSHOTS = 20
RIGID = Path(__file__).parents[1] / "reference_sets" / "rigid" / "tyk2"
BOX, SPACING, WATERS = 7.0, 0.35, 400  # nm, nm, molecules
OXYGEN = (0.3151, 0.6364)  # nm and kJ/mol, TIP3P's Lennard-Jones


@cache
def receptor() -> tuple[Model, Complex, Array]:
    """NeuralMD-ODE of 5-HT1B with ergotamine, Δ = 6 ns, in its periodic box."""
    snapshots = example("gpcr-ergotamine")
    return load_model("gpcr-ergotamine"), snapshots.complex, snapshots.ligand[:20]


@cache
def lysozyme(kind: str = "pocket") -> tuple[Model, Complex, Array]:
    """A pocket model on T4 lysozyme with p-xylene, whose hydrogens are virtual sites."""
    complex = example_complex("t4l-p-xylene")
    here = to_angstrom(complex.positions[complex.ligand_heavy])
    noise = np.random.default_rng(1).normal(size=(12, *here.shape))
    return load_model(kind), complex, here + 0.05 * np.cumsum(noise, axis=0)


def started(
    place: Place, case: tuple[Model, Complex, Array], system: openmm.System | None = None
) -> openmm.Context:
    """A Context at the last known snapshot."""
    model, complex, known = case
    system = system or create_system(model, complex, known, precision="double")
    integrator = NeuralMDIntegrator(model)
    integrator.setRandomNumberSeed(1)
    context = place.context(system, integrator)
    initialise(context, model, complex, known)
    return context


def positions(context: openmm.Context) -> Array:
    """Positions (N, 3) in Å."""
    return to_angstrom(nanometers(context.getState(positions=True).getPositions(asNumpy=True)))


def advanced(context: openmm.Context, snapshots: int, model: Model) -> Array:
    """Positions (S, N, 3) in Å after each of the next snapshots."""
    frames = []
    for _ in range(snapshots):
        context.getIntegrator().step(model.dynamics.settings.steps)
        frames.append(positions(context))
    return np.array(frames)


def forces(context: openmm.Context, groups: set[int]) -> Array:
    """Output (N, 3) in the unit of the groups."""
    state = context.getState(forces=True, groups=groups)
    return np.array(state.getForces(asNumpy=True)._value)


def direct_force(place: Place) -> Array:
    """F of a Δ of 6 ns, in the force group that the integrator reads."""
    return forces(started(place, receptor()), {1})


def energy_and_gradient(place: Place) -> Array:
    """An energy model on TYK2 and its ligand: forces (N, 3), scaled by the largest."""
    run = LabelledRun.open(RIGID)
    system = openmm.System()
    for _ in run.complex.positions:
        system.addParticle(1.0)
    system.addForce(NeuralMDForce(load_model("tyk2-energy"), run.complex, precision="double"))
    context = place.context(system, openmm.VerletIntegrator(0.001))
    context.setPositions(run.complex.positions)
    energy = context.getState(energy=True).getPotentialEnergy()._value
    gradient = forces(context, {1})
    return np.append(gradient.ravel() / np.abs(gradient).max(), energy / 100.0)


def ode_periodic(place: Place) -> Array:
    """NeuralMD-ODE with its projection, 43 heavy atoms in a box."""
    return advanced(started(place, receptor()), SNAPSHOTS, receptor()[0])


def ode(place: Place) -> Array:
    """NeuralMD-ODE with hydrogens as virtual sites."""
    return advanced(started(place, lysozyme()), SNAPSHOTS, lysozyme()[0])


def virtual_sites(place: Place) -> Array:
    """Lengths of the ligand's bonds to hydrogen, Å."""
    complex = lysozyme()[1]
    heavy = set(complex.ligand_heavy.tolist())
    bonds = complex.ligand[complex.ligand_bonds]
    pairs = bonds[[len(heavy & set(pair)) == 1 for pair in bonds.tolist()]]
    ends = ode(place)[:, pairs]
    return np.linalg.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)


def sde(place: Place) -> Array:
    """NeuralMD-SDE without its noise, of which each platform draws its own."""
    context = started(place, lysozyme("pocket-sde"))
    context.getIntegrator().setGlobalVariableByName("size", 0.0)
    context.getIntegrator().setGlobalVariableByName("tau", 1e12)  # no hop to another pose
    return advanced(context, SNAPSHOTS, lysozyme("pocket-sde")[0])


def reordered(place: Place) -> Array:
    """NeuralMD-ODE in a box of water under a cutoff, for which GPU platforms reorder the atoms."""
    model, complex, known = lysozyme()
    solvated = with_water(complex)
    system = create_system(model, solvated, known, precision="double")
    system.addForce(water_force(solvated, len(complex.positions)))
    context = started(place, (model, solvated, known), system)
    return advanced(context, SNAPSHOTS // 5, model)  # the Reference platform takes seconds each


def with_water(complex: Complex) -> Complex:
    """The complex and 400 waters in a periodic box, in no spatial order."""
    topology = app.Topology()
    modeller = app.Modeller(complex.topology, complex.positions * unit.nanometer)
    centre = complex.positions.mean(axis=0)
    grid = np.stack(np.meshgrid(*[np.arange(0.2, BOX, SPACING)] * 3), axis=-1).reshape(-1, 3)
    grid += centre - BOX / 2
    far, _ = cKDTree(complex.positions).query(grid)
    places = np.random.default_rng(0).permutation(grid[far > SPACING])[:WATERS]
    chain = topology.addChain("W")
    for _ in places:
        residue = topology.addResidue("HOH", chain)
        oxygen = topology.addAtom("O", app.element.oxygen, residue)
        for name in ("H1", "H2"):
            topology.addBond(oxygen, topology.addAtom(name, app.element.hydrogen, residue))
    corners = np.array([[0.0, 0.0, 0.0], [0.0957, 0.0, 0.0], [-0.024, 0.0927, 0.0]])
    modeller.add(topology, (places[:, None] + corners).reshape(-1, 3) * unit.nanometer)
    modeller.topology.setPeriodicBoxVectors(np.eye(3) * BOX * unit.nanometer)
    atom = list(complex.topology.atoms())[complex.ligand[0]]
    return Complex.from_openmm(
        modeller.topology,
        modeller.positions,
        ligand=selection_of(atom.residue),
        name=f"{complex.name} in water",
    )


def water_force(complex: Complex, solute: int) -> openmm.NonbondedForce:
    """Lennard-Jones of the waters' oxygens under a cutoff; nothing on the solute."""
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.9)
    for atom in complex.topology.atoms():
        oxygen = atom.index >= solute and atom.name == "O"
        force.addParticle(0.0, *(OXYGEN if oxygen else (1.0, 0.0)))
    for first in range(solute, len(complex.positions), 3):
        for i, j in ((0, 1), (0, 2), (1, 2)):
            force.addException(first + i, first + j, 0.0, 1.0, 0.0)
    return force


def checkpoint(place: Place) -> Array:
    """The second half of a run that was restored from a checkpoint in a new Context."""
    model, half = lysozyme()[0], SNAPSHOTS // 2
    first = started(place, lysozyme())
    advanced(first, half, model)
    saved = first.createCheckpoint()
    again = started(place, lysozyme())
    advanced(again, 1, model)  # so that nothing is right by itself
    again.loadCheckpoint(saved)
    return advanced(again, SNAPSHOTS - half, model)


def reporter(place: Place) -> Array:
    """A DCD of the ligand alone, by OpenMM's reporter with an atomSubset."""
    model, complex, known = lysozyme()
    simulation = app.Simulation(
        complex.topology,
        create_system(model, complex, known, precision="double"),
        NeuralMDIntegrator(model),
        choose_platform(place.platform),
        place.properties,
    )
    initialise(simulation, model, complex, known)
    steps = model.dynamics.settings.steps
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ligand.dcd"
        options = {"enforcePeriodicBox": False, "atomSubset": complex.ligand.tolist()}
        simulation.reporters.append(app.DCDReporter(str(file), steps, **options))
        simulation.step(SNAPSHOTS // 2 * steps)
        del simulation.reporters[:]  # closes the file
        subset = mdtraj.Topology.from_openmm(complex.topology).subset(complex.ligand)
        return to_angstrom(mdtraj.load_dcd(str(file), top=subset).xyz.astype(np.float64))


def two_contexts(place: Place) -> Array:
    """Two Contexts that take turns, of different dynamics."""
    cases = (lysozyme(), receptor())
    contexts = [started(place, case) for case in cases]
    frames = []
    for _ in range(SNAPSHOTS // 4):
        for context, case in zip(contexts, cases, strict=True):
            frames.append(advanced(context, 1, case[0]).ravel())
    return np.concatenate(frames)


LEARNED: dict[str, Feature] = {
    "force": Feature("direct force, Δ = 6 ns", RELATIVE, direct_force),
    "energy": Feature("energy model, energy and forces", RELATIVE, energy_and_gradient),
    "ode": Feature("NeuralMD-ODE with projection, 20 snapshots", ANGSTROM, ode),
    "ode-periodic": Feature(
        "NeuralMD-ODE in a periodic box, 20 snapshots of 6 ns", ANGSTROM, ode_periodic
    ),
    "ode-reordered": Feature(
        "NeuralMD-ODE in water, atoms reordered, 4 snapshots", ANGSTROM, reordered
    ),
    "virtual-sites": Feature("ligand's X-H bonds, 20 snapshots", ANGSTROM, virtual_sites),
    "sde": Feature("NeuralMD-SDE without noise, 20 snapshots", ANGSTROM, sde),
    "checkpoint": Feature("checkpoint in a new Context, 10 snapshots", ANGSTROM, checkpoint),
    "reporter": Feature(
        "DCDReporter with atomSubset, 10 snapshots", ANGSTROM, reporter, least=2e-5
    ),
    "two-contexts": Feature("two Contexts in turns, 5 snapshots each", ANGSTROM, two_contexts),
}
"""Features of the learned dynamics, by name."""
