"""One force evaluation, in each of the ways to have one, the protein's part computed beforehand.

    python benchmarks/force.py [--repeats 15] [--quick]

Eager torch, the exported TorchScript, and the same through OpenMM by both backends, on the CPU;
direct forces, and an energy with its gradient.  CPU time with one thread, wall time with more: then
nothing else may run.  A product of two 1024 × 1024 matrices is timed in turn with them, and the
ratio is also set beside the published research code's, which was timed on another machine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch  # before OpenMM: its TorchForce plug-in needs libraries that torch brings along
from harness import NETWORKS, PUBLISHED_MATMUL_MS, arguments, matmul1024, race, random_model, write
from openmm import Context, Platform, System, VerletIntegrator

from openmm_neuralmd.bindingnet.inputs import complex_tensors
from openmm_neuralmd.examples import example_complex
from openmm_neuralmd.model import Model
from openmm_neuralmd.simulation.backends import BACKENDS
from openmm_neuralmd.simulation.export import ForceModule
from openmm_neuralmd.simulation.force import NeuralMDForce
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.history import History

PUBLISHED_MS = {
    ("force", 1): {"gpcr-ergotamine": 93.578, "t4l-p-xylene": 37.031},
    ("force", 2): {"gpcr-ergotamine": 44.605, "t4l-p-xylene": 23.21},
    ("energy", 1): {"gpcr-ergotamine": 173.0, "t4l-p-xylene": 51.0},
}
"""One force evaluation of the published research code at its default size, by head and threads.

Medians.  It computes the protein anew at every evaluation (33 and 25 ms of it with one thread),
which is how it is run.  'energy' is its VerletMD, an energy and its gradient, taken as of one
thread, which its record does not say.  Measured for this
project: torch 2.13, 2-core AMD EPYC virtual machine, repeats vary by up to 35 %.
"""


def eager(model: Model, complex: Complex) -> Callable[[], Any]:
    """BindingNet in torch, from ligand coordinates, the protein cached."""
    c = complex_tensors(complex)
    network: Any = model.dynamics.network
    x = torch.as_tensor(History.of(None, complex).ligand, dtype=torch.float32)
    with torch.no_grad():
        protein = model.dynamics.encode(c)  # type: ignore[operator]

    def call() -> Any:
        with torch.no_grad():
            return network(c.z, x, c.mask, protein)

    return call


def scripted(model: Model, complex: Complex) -> Callable[[], Any]:
    """Script the module that both backends run: imaging, frames and network from all positions."""
    module = torch.jit.script(ForceModule(model.dynamics, complex, model.card.interval_ps))
    positions = torch.as_tensor(complex.positions)
    box = None if complex.box is None else torch.as_tensor(complex.box)
    return lambda: module(positions, box)


def through_openmm(
    model: Model, complex: Complex, backend: str, folder: Path, threads: int
) -> Callable:
    """A Context's forces on the CPU platform."""
    system = System()
    for _ in complex.positions:
        system.addParticle(12.0)
    if complex.box is not None:
        system.setDefaultPeriodicBoxVectors(*complex.box)
    file = folder / f"{backend}.pt"
    system.addForce(NeuralMDForce(model, complex, backend=backend, device="cpu", file=file))
    platform = Platform.getPlatform("CPU")
    integrator = VerletIntegrator(0.001)
    context = Context(system, integrator, platform, {"Threads": str(threads)})
    context.setPositions(complex.positions)
    return lambda: context.getState(forces=True)


def rows_of(
    complex: Complex, size: str, head: str, repeats: int, threads: int, folder: Path
) -> list[dict[str, Any]]:
    """One row for each way."""
    model = random_model(NETWORKS[size].model_copy(update={"head": head}), complex)
    ways = {"scripted": scripted(model, complex)}
    if head == "force":
        ways = {"eager": eager(model, complex), **ways}
    for backend in BACKENDS:
        ways[backend] = through_openmm(model, complex, backend, folder, threads)
    torch.set_num_threads(threads)  # OpenMM's plug-in sets torch's number of threads
    calls = {**ways, "matmul1024": matmul1024()}
    clock = time.process_time if threads == 1 else time.perf_counter
    times = race(calls, repeats, seconds=30.0, clock=clock)
    unit = times["matmul1024"]["median"]
    published = PUBLISHED_MS[head, threads][complex.name] / PUBLISHED_MATMUL_MS[threads]
    return [
        {
            "complex": complex.name,
            "network": size,
            "head": head,
            "threads": threads,
            "way": way,
            "in_matmul1024": times[way]["median"] / unit,
            "over_published_default_size": times[way]["median"] / unit / published,
            "ms": times[way],
            "matmul1024_ms": times["matmul1024"],
        }
        for way in ways
    ]


def main() -> None:
    """Measure every way on both complexes with both sizes."""
    given = arguments(__doc__, repeats=15)
    complexes = ["t4l-p-xylene"] if given.quick else ["gpcr-ergotamine", "t4l-p-xylene"]
    rows = []
    for head, threads in PUBLISHED_MS:
        for name in complexes:
            for size in NETWORKS:
                with tempfile.TemporaryDirectory() as folder:
                    sizes = (size, head, given.repeats, threads)
                    rows += rows_of(example_complex(name), *sizes, Path(folder))
    what = (
        "one force evaluation, protein cached, in products of 1024 × 1024 matrices, and over the "
        "published code's at its default size, which computes the protein anew each time"
    )
    write(given.results, "force", what, rows, threads=sorted({row["threads"] for row in rows}))


if __name__ == "__main__":
    main()
