"""How fast: all-atom OpenMM and NeuralMD jumps on one complex, in one run, on one machine.

    python validation/speedup.py [--platform CPU] [--repeats 7] [--json out.json]

The complex is T4 lysozyme L99A with p-xylene (openmmtools; real Amber parameters, 2,621 atoms).
The all-atom side gets its best fair settings: OpenMM's native OBC2 with a cutoff, constrained
bonds to hydrogen, masses repartitioned, 4 fs.  What the two sides do is not the same, and the
result file says so in words.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.files import complete
from openmm_neuralmd.mm.run import RunSettings, make_simulation
from openmm_neuralmd.mm.start import initialise
from openmm_neuralmd.progress import progress_bar
from openmm_neuralmd.provenance import provenance
from openmm_neuralmd.training import load_model

HERE = Path(__file__).parent
SECONDS_PER_DAY = 86_400.0
MISATO_INTERVAL_PS = 80.0

WORDS = [
    "All-atom MD moves all 2,621 atoms in implicit solvent (OBC2) and samples the Boltzmann "
    "distribution of its force field; its trajectory resolves femtoseconds.",
    "NeuralMD moves the ligand's 8 heavy atoms in a rigid protein and gives one snapshot per "
    "interval; nothing between snapshots is computed, and no ensemble is guaranteed.",
    "The ratio is proportional to the model's snapshot interval, which is a choice made when the "
    "reference was recorded, not an achievement of the code; it is also given for 80 ps.",
    "The model timed was trained on another complex (5-HT1B with ergotamine): its cost is the "
    "same, its p-xylene trajectory means nothing.",
]


def all_atom(platform: str | None, cutoff_nm: float) -> app.Simulation:
    """The Amber system at 300 K with OpenMM's fastest fair settings on this hardware."""
    from openmmtools.testsystems import get_data_filename

    folder = Path(get_data_filename("data/T4-lysozyme-L99A-implicit"))
    prmtop = app.AmberPrmtopFile(str(folder / "complex.prmtop"))
    coordinates = app.AmberInpcrdFile(str(folder / "complex-minimized.crd"))
    system = prmtop.createSystem(
        nonbondedMethod=app.CutoffNonPeriodic,
        nonbondedCutoff=cutoff_nm * unit.nanometer,
        implicitSolvent=app.OBC2,
        constraints=app.HBonds,
        hydrogenMass=4 * unit.amu,
    )
    integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.004)
    integrator.setRandomNumberSeed(1)
    chosen = openmm.Platform.getPlatform(platform) if platform else None
    simulation = app.Simulation(prmtop.topology, system, integrator, chosen)
    simulation.context.setPositions(coordinates.positions)
    simulation.minimizeEnergy(maxIterations=200)
    simulation.context.setVelocitiesToTemperature(300.0, 1)
    return simulation


def clock(advance: Callable[[], Any], wait: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each repeat; waits for the device before it looks at the clock."""
    seconds = []
    for _ in range(repeats):
        wait()
        began = time.perf_counter()
        advance()
        wait()
        seconds.append(time.perf_counter() - began)
    return seconds


def timed(simulation: app.Simulation, steps: int, warmup: int, repeats: int) -> list[float]:
    """Seconds of `repeats` blocks of `steps` steps, after a warm-up."""
    simulation.step(warmup)
    return clock(
        lambda: simulation.step(steps),
        lambda: simulation.context.getState(energy=False, positions=True),
        repeats,
    )


def rate(ps_per_block: float, seconds: list[float]) -> dict[str, float]:
    """ns/day: median, least and greatest of the repeats."""
    speeds = ps_per_block / 1000.0 * SECONDS_PER_DAY / np.array(seconds)
    return {
        "median": float(np.median(speeds)),
        "least": float(speeds.min()),
        "greatest": float(speeds.max()),
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Time both sides in turn."""
    rows: dict[str, Any] = {}
    total = 2 + len(arguments.backends)
    with progress_bar("speed", total, "side") as advance:
        for cutoff in (1.2, 2.0):
            simulation = all_atom(arguments.platform, cutoff)
            seconds = timed(simulation, arguments.md_steps, arguments.md_steps, arguments.repeats)
            name = f"all-atom OBC2, 4 fs, cutoff {cutoff} nm"
            rows[name] = {
                "ns_per_day": rate(arguments.md_steps * 0.004, seconds),
                "seconds": seconds,
                "moving_atoms": simulation.system.getNumParticles(),
                "platform": simulation.context.getPlatform().getName(),
            }
            advance(1, name)
        for backend in arguments.backends:
            began = time.perf_counter()
            model, complex = load_model(arguments.model), example_complex("t4l-p-xylene")
            loaded = time.perf_counter()
            settings = RunSettings(platform=arguments.platform, backend=backend)
            simulation = make_simulation(model, complex, settings)
            initialise(simulation, model, complex)
            ready = time.perf_counter()
            per_snapshot = simulation.integrator.stepsPerSnapshot
            steps = per_snapshot * arguments.snapshots
            seconds = timed(simulation, steps, 10 * per_snapshot, arguments.repeats)
            name = f"NeuralMD, {backend}"
            rows[name] = {
                "ns_per_day": rate(arguments.snapshots * model.card.interval_ps, seconds),
                "seconds": seconds,
                "snapshots_per_second": arguments.snapshots / float(np.median(seconds)),
                "moving_atoms": len(complex.ligand_heavy),
                "platform": simulation.context.getPlatform().getName(),
                "seconds_to_load": loaded - began,
                "seconds_to_export_and_start": ready - loaded,
            }
            advance(1, name)
    return {"rows": rows, "interval_ps": model.card.interval_ps, "model": model.sha256}


def ratios(measured: dict[str, Any]) -> dict[str, dict[str, float]]:
    """NeuralMD over the fastest all-atom row, at the model's interval and at MISATO's."""
    speeds = {name: row["ns_per_day"]["median"] for name, row in measured["rows"].items()}
    fastest = max(speed for name, speed in speeds.items() if name.startswith("all-atom"))
    scale = MISATO_INTERVAL_PS / measured["interval_ps"]
    return {
        name: {"at_model_interval": speed / fastest, "at_80_ps": speed / fastest * scale}
        for name, speed in speeds.items()
        if name.startswith("NeuralMD")
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--platform", help="OpenMM platform for both sides; default: the fastest")
    parser.add_argument("--model", default="gpcr-ergotamine")
    parser.add_argument("--backends", nargs="+", default=["TorchForce", "PythonForce"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--md-steps", type=int, default=250, help="steps in an all-atom repeat")
    parser.add_argument("--snapshots", type=int, default=50, help="snapshots in a NeuralMD repeat")
    parser.add_argument("--json", type=Path, default=HERE / "results" / "speedup-t4l-p-xylene.json")
    arguments = parser.parse_args()
    if arguments.repeats < 5:
        parser.error("a median of fewer than 5 repeats is not worth reporting")
    measured = measure(arguments)
    result = {
        "what": "simulated ns/day, T4 lysozyme L99A with p-xylene, both sides through OpenMM",
        **measured,
        "ratio_to_fastest_all_atom": ratios(measured),
        "in_words": WORDS,
        "provenance": provenance(),
    }
    with complete(arguments.json) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, row in measured["rows"].items():
        speed = row["ns_per_day"]
        print(
            f"{name:38s} {speed['median']:14,.1f} ns/day "
            f"({speed['least']:,.1f} to {speed['greatest']:,.1f})"
        )
    for name, ratio in result["ratio_to_fastest_all_atom"].items():
        print(
            f"{name}: {ratio['at_model_interval']:,.0f} × at {measured['interval_ps']:g} ps "
            f"per snapshot, {ratio['at_80_ps']:,.0f} × at 80 ps"
        )
    print("\n".join(WORDS))
    print(f"wrote {arguments.json}")


if __name__ == "__main__":
    main()
