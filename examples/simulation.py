"""Jump snapshots inside OpenMM: NeuralMDIntegrator, an app.Simulation, and its reporters.

    python examples/simulation.py --snapshots 50 --platform CPU -o simulation

The same forecast as examples/forecast.py.  `neuralmd simulate` does this too, and can be
interrupted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from openmm import Platform, app

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.fluctuation import rmsf

EXAMPLE = "gpcr-ergotamine"


def main(arguments: Sequence[str] | None = None) -> None:
    """Set up, run, read back."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=EXAMPLE, help="bundled name, or a .safetensors file")
    parser.add_argument("--snapshots", type=int, default=50)
    parser.add_argument("--platform", default="CPU", help="OpenMM platform: CPU, CUDA, ...")
    parser.add_argument("-o", "--output", type=Path, default=Path("simulation"))
    options = parser.parse_args(arguments)

    model = nmd.load_model(options.model)
    trajectory = nmd.example(EXAMPLE)
    complex = trajectory.complex
    known = trajectory[:200]  # of several replicas the last one counts

    system = nmd.create_system(model, complex, known)
    integrator = nmd.NeuralMDIntegrator(model)  # its step is Δ/2
    simulation = app.Simulation(
        complex.topology, system, integrator, Platform.getPlatformByName(options.platform)
    )
    nmd.initialise(simulation, model, complex, known)

    options.output.mkdir(parents=True, exist_ok=True)
    file, stride = options.output / "trajectory.dcd", integrator.stepsPerSnapshot
    # Left to itself the reporter puts each molecule into the box: the ligand far from its pocket.
    simulation.reporters.append(app.DCDReporter(str(file), stride, enforcePeriodicBox=False))
    simulation.step(options.snapshots * stride)
    del simulation.reporters[:]  # closes the file
    state = simulation.context.getState(positions=True)
    with (options.output / "topology.pdb").open("w") as pdb:
        app.PDBFile.writeFile(complex.topology, state.getPositions(), pdb)

    written = nmd.read_snapshots(file, complex)
    fluctuation = rmsf(written.ligand)
    fastest = list(complex.topology.atoms())[complex.ligand_sites[np.argmax(fluctuation)]]
    print(f"{file}: {len(written)} snapshots, {written.interval_ps / 1000:g} ns apart")
    print(f"RMSF {fluctuation.mean():.2f} Å, largest at {fastest.name}: {fluctuation.max():.2f} Å")


if __name__ == "__main__":
    main()
