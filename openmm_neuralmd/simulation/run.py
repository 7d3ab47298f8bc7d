"""`simulate`: a whole run from known snapshots to a DCD, resumable, with its provenance."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from openmm import app

from ..errors import InputError
from ..structure.complex import Complex
from ..trajectory.history import History, Known
from ..units import to_angstrom
from ..utils.platforms import ON_CPU, choose_platform, describe_platform
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.resume import PartialRun
from .backends import choose_backend
from .integrator import NeuralMDIntegrator
from .production import TRAJECTORY, Production
from .restarts import STOP, Restarts, check_on_failure
from .system import create_system

if TYPE_CHECKING:
    from ..model import Model


SEED = 1
"""OpenMM takes another seed each time for 0, so that a run could not be resumed exactly."""


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run: all that can change a number.

    Attributes
    ----------
    platform : str or None
        OpenMM platform; the fastest one by default.
    properties : dict
        Platform properties, such as {'Precision': 'mixed', 'DeviceIndex': '1', 'Threads': '2'}.
    backend, precision : see `NeuralMDForce`
    solver, temperature : see `NeuralMDIntegrator`
    seed : int or None
        Of the noise of NeuralMD-SDE; NeuralMD-ODE is deterministic.  `SEED` by default.
    """

    platform: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    backend: str | None = None
    precision: str = "single"
    solver: str | None = None
    temperature: float | None = None
    seed: int | None = None

    def check(self) -> None:
        """Refuse numbers that no run can have.

        Raises
        ------
        InputError
        """
        if not 0 <= (self.seed or 0) < 2**31:
            raise InputError(f"seed must be from 0 to 2^31 - 1, not {self.seed}")
        if not (self.temperature is None or 0 <= self.temperature <= 2000):
            raise InputError(f"temperature must be from 0 to 2000 K, not {self.temperature}")


@dataclass(frozen=True)
class Run:
    """Files and counts of a finished run.

    Attributes
    ----------
    trajectory, topology, provenance : Path
        DCD, PDB that matches it atom for atom, and run.yaml.
    snapshots : int
    resumed_from : int
        Snapshots that an interrupted run had already made; 0 for none.
    restarts : int
        New beginnings after a failure, those of interrupted runs included.
    seconds : float
        Wall time of the snapshots made now.
    """

    trajectory: Path
    topology: Path
    provenance: Path
    snapshots: int
    resumed_from: int
    restarts: int
    seconds: float


def simulate(
    model: Model,
    complex: Complex,
    known: Known,
    snapshots: int,
    output: str | Path,
    *,
    settings: RunSettings | None = None,
    checkpoint_every: int = 10,
    pocket_limit: float | None = 1.0,
    on_failure: str = STOP,
    progress: Advance = silent,
) -> Run:
    """Run a model through OpenMM and write `output` (DCD), a PDB and a run.yaml beside it.

    Until it is complete everything is in the hidden folder '.NAME.partial'; called again after
    an interruption it continues from the last checkpoint, exactly.

    Parameters
    ----------
    known : History, Snapshots, array (T, n, 3) in Å, or None
        See `initialise`.
    snapshots : int
        How many to make; the first is one Δ after the last known one.
    checkpoint_every : int
        Snapshots between checkpoints.
    pocket_limit : float or None
        nm from the ligand to the nearest Cα beyond which the run stops; None never stops it.
    on_failure : 'stop' or 'restart'
        Reaction to a coordinate that is not a number, or a ligand that leaves: an error, or a
        new beginning from the last checkpoint with other noise, `restarts.MOST` times at most.
        Restarts are in run.yaml.  What such a run says is conditioned on not failing.
    progress : callable, optional
        See `progress.Advance`; called for every snapshot, and once for those of an earlier run.

    Raises
    ------
    SimulationError
        Not a number, or the ligand left the pocket, more often than restarts are allowed; the
        snapshots before it are kept.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from openmm_neuralmd import example, load_model, simulate
    >>> known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = simulate(model, known.complex, known, 2, Path(folder) / "a.dcd")
    >>> run.snapshots, run.trajectory.name
    (2, 'a.dcd')
    """
    if snapshots < 1:
        raise InputError(f"{snapshots} snapshots were asked for; 1 is the least")
    settings, output = settings or RunSettings(), Path(output)
    settings.check()
    check_on_failure(model, on_failure)
    complex = model.fitted(complex)
    history = History.of(known, complex, model.dynamics.least_known)
    names = (output, output.with_suffix(".pdb"), output.with_suffix(".run.yaml"))
    partial = PartialRun(output, identity(model, history, settings), beside=names[1:])
    restarts = Restarts(partial.folder, on_failure, _seed(settings))
    simulation = make_simulation(model, complex, settings, partial.folder / "force.pt")
    began = time.perf_counter()
    production = Production(
        simulation=simulation,
        model=model,
        history=history,
        partial=partial,
        restarts=restarts,
        snapshots=snapshots,
        checkpoint_every=checkpoint_every,
        pocket_limit=pocket_limit,
        progress=progress,
    )
    resumed = production.complete()
    run = Run(*names, snapshots, resumed, len(restarts.entries), time.perf_counter() - began)
    record = _provenance(model, complex, settings, simulation, run)
    _publish(partial, complex, run, {**record, "restarts": restarts.record()})
    return run


def _seed(settings: RunSettings) -> int:
    return SEED if settings.seed is None else settings.seed


def make_simulation(
    model: Model, complex: Complex, settings: RunSettings, file: Path | None = None
) -> app.Simulation:
    """An app.Simulation of the model on the complex, not yet initialised.

    A PythonForce computes where the platform does: on its GPU, or on the CPU.
    """
    chosen = choose_platform(settings.platform)
    on_gpu = chosen.getName() not in ON_CPU
    backend = choose_backend(settings.backend, chosen.getName())
    system = create_system(
        model,
        complex,
        backend=backend,
        precision=settings.precision,
        device=_device(settings) if on_gpu else "cpu",
        file=file,
    )
    integrator = NeuralMDIntegrator(model, settings.temperature, settings.solver, complex=complex)
    integrator.setRandomNumberSeed(_seed(settings))
    return app.Simulation(complex.topology, system, integrator, chosen, settings.properties)


def _device(settings: RunSettings) -> str:
    import torch

    index = settings.properties.get("DeviceIndex", "")
    return f"cuda:{index}" if index.isdigit() and torch.cuda.is_available() else "auto"


def identity(model: Model, history: History, settings: RunSettings) -> str:
    """SHA-256 of everything that decides the trajectory: a run is resumed only by its own kind."""
    digest, complex = hashlib.sha256(), history.complex
    for name, tensor in sorted(model.dynamics.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().numpy().tobytes())
    digest.update(model.card.model_dump_json().encode())
    digest.update(complex.fingerprint().encode() + complex.positions.tobytes())
    digest.update(history.ligand.tobytes())
    digest.update(json.dumps(asdict(settings), sort_keys=True).encode())
    return digest.hexdigest()


def participants(model: Model, complex: Complex) -> dict[str, dict[str, str]]:
    """Entries 'model' and 'complex' of a run's record."""
    return {
        "model": model.origin(),
        "complex": {"name": complex.name, "fingerprint": complex.fingerprint()},
    }


def _provenance(
    model: Model, complex: Complex, settings: RunSettings, simulation: app.Simulation, run: Run
) -> dict[str, Any]:
    return {
        **participants(model, complex),
        "settings": {**asdict(settings), "backend": choose_backend(settings.backend)},
        "platform": describe_platform(simulation.context),
        "interval_ps": model.card.interval_ps,
        "snapshots": run.snapshots,
        "resumed_from": run.resumed_from,
        "seconds": round(run.seconds, 3),
        **provenance(),
    }


def _publish(partial: PartialRun, complex: Complex, run: Run, provenance: dict[str, Any]) -> None:
    """Give every file its final name; the trajectory comes last."""
    with (partial.run / "topology.pdb").open("w") as file:
        positions = to_angstrom(complex.positions)
        app.PDBFile.writeFile(complex.topology, positions, file, keepIds=True)
    text = yaml.safe_dump(provenance, sort_keys=False)
    (partial.run / "run.yaml").write_text(text, encoding="utf-8")
    targets = {
        "topology.pdb": run.topology,
        "run.yaml": run.provenance,
        TRAJECTORY: run.trajectory,
    }
    partial.publish_files(targets)
