"""`simulate_replicas`: many futures of one start, each written to its own DCD."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from openmm import app, unit

from ..errors import InputError, SimulationError
from ..rollouts import stream
from ..structure.complex import Complex
from ..structure.hydrogens import full_positions
from ..trajectory.history import History, Known
from ..units import to_angstrom
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.resume import PartialRun
from .geometry import nearest_alpha
from .guard import POCKET_DISTANCE
from .run import SEED, RunSettings, identity

if TYPE_CHECKING:
    from ..model import Model

BATCH, PART = 32, 16
"""Replicas computed at once, and snapshots of each that are held before they are written."""
MOST = 10**6
TOPOLOGY, RECORD = "topology.pdb", "run.yaml"


def simulate_replicas(
    model: Model,
    complex: Complex,
    known: Known,
    snapshots: int,
    output: str | Path,
    replicas: int,
    *,
    seed: int | None = None,
    device: str = "cpu",
    batch: int = BATCH,
    pocket_limit: float | None = POCKET_DISTANCE,
    progress: Advance = silent,
) -> Path:
    """Write the folder `output` with a DCD for each of many futures, in a rigid protein.

    The batch is computed in torch, without OpenMM: it is `rollouts.stream`, whose memory
    grows neither with the snapshots nor with the replicas.  Replica r is the same future in any
    batch.  Interrupted, it goes on after the last complete batch; hydrogens follow their atoms.

    Parameters
    ----------
    model, complex, known : see `run.simulate`
    snapshots : int
        Of each replica; the first is one Δ after the last known one.
    output : path
        Must not exist.  Gets replica-0001.dcd and so on, topology.pdb and run.yaml.
    replicas : int
    seed : int, optional
        Of all; each replica draws from the seed and its number.
    device : str
        Where torch computes.
    batch : int
        Replicas at once.
    pocket_limit : float or None
        See `run.simulate`.
    progress : callable, optional
        See `progress.Advance`; called for every snapshot.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        Less than one replica or snapshot, or the folder exists.
    SimulationError
        A coordinate is not a number, or a ligand left the pocket.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from openmm_neuralmd import example, load_model
    >>> from openmm_neuralmd.simulation.replicas import simulate_replicas
    >>> known, model = example("gpcr-ergotamine")[:84], load_model("gpcr-ergotamine-sde")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     out = simulate_replicas(model, known.complex, known, 2, Path(folder) / "a", 2)
    ...     sorted(path.name for path in out.iterdir())
    ['replica-0001.dcd', 'replica-0002.dcd', 'run.yaml', 'topology.pdb']
    """
    if snapshots < 1 or not 1 <= replicas <= MOST:
        raise InputError(
            f"{replicas} replicas of {snapshots} snapshots were asked for; 1 is the least, and "
            f"{MOST:,} replicas are the most"
        )
    seed = SEED if seed is None else seed
    complex = model.fitted(complex)
    history = History.of(known, complex, model.dynamics.least_known)
    own = f"{identity(model, history, RunSettings(seed=seed))}-{snapshots}-replicas"
    partial = PartialRun(Path(output), own)
    first = partial.resume(_nothing, replicas)
    progress(first * snapshots, "resumed" if first else "")
    began = time.perf_counter()
    for start in range(first, replicas, batch):
        numbers = range(start, min(start + batch, replicas))
        parts = [min(PART, snapshots - done) for done in range(0, snapshots, PART)]
        futures = stream(model, complex, history, parts, numbers, seed=seed, device=device)
        _write(
            futures, partial.run, complex, model.card.interval_ps, numbers, pocket_limit, progress
        )
        # The files of complete batches do not grow any more: there is nothing to cut off.
        partial.commit(b"", numbers.stop, [])
    record = {
        "model": {"name": model.card.name, "kind": model.card.kind, "sha256": model.sha256},
        "complex": {"name": complex.name, "fingerprint": complex.fingerprint()},
        "engine": "torch",
        "device": device,
        "interval_ps": model.card.interval_ps,
        "replicas": replicas,
        "snapshots": snapshots,
        "seed": seed,
        "resumed_from": first,
        "seconds": round(time.perf_counter() - began, 3),
        **provenance(),
    }
    _finish(partial, complex, record)
    return partial.output


def replica_file(replica: int) -> str:
    """Name of the DCD of a replica, which is counted from 0."""
    return f"replica-{replica + 1:04d}.dcd"


def _nothing(_: bytes) -> None:
    """Restore nothing: a batch needs no state of the one before."""


def _write(
    futures: Iterator[np.ndarray],
    folder: Path,
    complex: Complex,
    interval_ps: float,
    replicas: Sequence[int],
    limit: float | None,
    progress: Advance,
) -> None:
    """The trajectories of one batch, part after part."""
    vectors = None if complex.box is None else complex.box * unit.nanometer
    with ExitStack() as stack:
        writers = [
            app.DCDFile(
                stack.enter_context((folder / replica_file(replica)).open("w+b")),
                complex.topology,
                interval_ps,
                1,
                1,
            )
            for replica in replicas
        ]
        done = 0
        for part in futures:
            for replica, writer, ligand in zip(replicas, writers, part, strict=True):
                for number, positions in enumerate(full_positions(complex, ligand), done + 1):
                    _check(complex, positions, limit, f"replica {replica + 1}, snapshot {number}")
                    writer.writeModel(positions * unit.nanometer, periodicBoxVectors=vectors)
                    progress(1, "")
            done += part.shape[1]


def _check(complex: Complex, positions: np.ndarray, limit: float | None, where: str) -> None:
    """Refuse positions (N, 3) in nm that are no numbers, or a ligand that has left the pocket.

    Raises
    ------
    SimulationError
    """
    if not np.isfinite(positions).all():
        raise SimulationError(f"{where}: a coordinate is not a number")
    distance, _ = nearest_alpha(complex, positions, complex.box)
    if limit is not None and distance > limit:
        raise SimulationError(
            f"{where}: the ligand left the pocket: it is {distance:.2f} nm from any CA "
            f"(limit {limit:g} nm)"
        )


def _finish(partial: PartialRun, complex: Complex, record: dict[str, Any]) -> None:
    """Topology, record, and the final name."""
    with (partial.run / TOPOLOGY).open("w") as file:
        positions = to_angstrom(complex.positions)
        app.PDBFile.writeFile(complex.topology, positions, file, keepIds=True)
    text = yaml.safe_dump(record, sort_keys=False)
    (partial.run / RECORD).write_text(text, encoding="utf-8")
    partial.publish()
