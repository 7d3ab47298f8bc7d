"""Forecast a ligand's next snapshots without OpenMM, and write them for VMD and PyMOL.

    python examples/forecast.py --snapshots 50 -o forecast

5-HT1B with ergotamine and its bundled model.  What is known ends at the last snapshot that the
model was trained on; the forecast does not look at what comes after it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from openmm import app, unit

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.metrics import rmse
from openmm_neuralmd.structure.hydrogens import full_positions

EXAMPLE = "gpcr-ergotamine"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, forecast, write, and compare with what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=EXAMPLE, help="bundled name, or a .safetensors file")
    parser.add_argument("--snapshots", type=int, default=50)
    parser.add_argument("-o", "--output", type=Path, default=Path("forecast"))
    options = parser.parse_args(arguments)

    model = nmd.load_model(options.model)
    trajectory = nmd.example(EXAMPLE)
    complex = trajectory.complex
    past = trajectory[:200]  # the 80 % that the model was trained on
    known = past.ligand[past.segments[-1].start :]  # of the last replica alone
    future = nmd.rollout(model, complex, known, snapshots=options.snapshots)

    options.output.mkdir(parents=True, exist_ok=True)
    positions = full_positions(complex, future)  # (S, N, 3) nm, protein and all
    written = nmd.write_trajectory(
        options.output / "trajectory.dcd", complex, positions, trajectory.interval_ps
    )
    with (options.output / "topology.pdb").open("w") as file:
        app.PDBFile.writeFile(complex.topology, complex.positions * unit.nanometer, file)

    truth = trajectory.ligand[200 : 200 + options.snapshots]
    print(f"{written}: {len(future)} snapshots, {trajectory.interval_ps / 1000:g} ns apart")
    print(f"RMSE to the MD {rmse(truth, future[: len(truth)]):.2f} Å")


if __name__ == "__main__":
    main()
