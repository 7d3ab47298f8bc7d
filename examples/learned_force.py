"""Femtoseconds: molecular dynamics of a ligand under a learned energy, with NeuralMDForce.

    python examples/learned_force.py --time 10 -o learned

The model is the bundled one, of `neuralmd train examples/energy.yaml`, or one of your own.  The
run that it learned from says what stands where.  The protein stands still, as it did
there, and the learned energy is all that acts on the ligand.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from openmm import LangevinMiddleIntegrator, Platform, System, app, unit

import openmm_neuralmd as nmd
from openmm_neuralmd.training.labelled import LabelledRun

RUN = Path(__file__).resolve().parents[1] / "validation" / "reference_sets" / "rigid" / "tyk2"


def ligand_in_a_rigid_protein(complex: nmd.Complex) -> System:
    """A System without forces, in which only the ligand's atoms have a mass."""
    system = System()
    for _ in complex.topology.atoms():
        system.addParticle(0.0)
    for particle, mass in zip(complex.ligand.tolist(), complex.ligand_masses, strict=True):
        system.setParticleMass(particle, mass)
    return system


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, minimise, run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default="tyk2-energy", help="an energy model")
    parser.add_argument("--run", type=Path, default=RUN, help="folder of neuralmd reference")
    parser.add_argument("--time", type=float, default=10.0, metavar="PS")
    parser.add_argument("--platform", default="CPU", help="OpenMM platform: CPU, CUDA, ...")
    parser.add_argument("-o", "--output", type=Path, default=Path("learned"))
    options = parser.parse_args(arguments)

    model = nmd.load_model(options.model)
    complex = LabelledRun.open(options.run).complex
    system = ligand_in_a_rigid_protein(complex)
    force = nmd.NeuralMDForce(model, complex)
    system.addForce(force)

    integrator = LangevinMiddleIntegrator(
        300 * unit.kelvin, 1 / unit.picosecond, 1 * unit.femtosecond
    )
    platform = Platform.getPlatformByName(options.platform)
    simulation = app.Simulation(complex.topology, system, integrator, platform)
    simulation.context.setPositions(complex.positions)
    simulation.minimizeEnergy(maxIterations=100)  # there is an energy that it can lower
    simulation.context.setVelocitiesToTemperature(300 * unit.kelvin, 1)

    options.output.mkdir(parents=True, exist_ok=True)
    steps = round(options.time / 0.001)
    every = max(1, steps // 100)
    simulation.reporters += [
        app.DCDReporter(str(options.output / "trajectory.dcd"), every),
        app.StateDataReporter(
            str(options.output / "energies.csv"), every, time=True, potentialEnergy=True
        ),
    ]
    simulation.step(steps)
    del simulation.reporters[:]  # closes the files
    state = simulation.context.getState(energy=True, groups={force.getForceGroup()})
    print(f"{options.output}/trajectory.dcd: {steps // every} snapshots")
    print(f"learned energy {state.getPotentialEnergy()}, of an arbitrary zero")


if __name__ == "__main__":
    main()
