"""`simulate_replicas`: many futures of one start, each written to its own DCD."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from openmm import app, unit

from ..errors import InputError, SimulationError
from ..rollouts import stream
from ..structure.complex import Complex
from ..structure.hydrogens import full_positions
from ..structure.parts import nearest_alpha
from ..trajectory.history import History, Known
from ..units import to_angstrom
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.resume import PartialRun
from .guard import POCKET_DISTANCE
from .restarts import STOP, Restarts, check_on_failure
from .run import SEED, RunSettings, identity, participants

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
    on_failure: str = STOP,
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
    on_failure : 'stop' or 'restart'
        See `run.simulate`.  A replica that fails begins again from its start, `restarts.MOST`
        times at most, whatever the others do.
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
        A coordinate is not a number, or a ligand left the pocket, more often than restarts are
        allowed.

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
    _check_counts(replicas, snapshots)
    check_on_failure(model, on_failure)
    seed = SEED if seed is None else seed
    complex = model.fitted(complex)
    history = History.of(known, complex, model.dynamics.least_known)
    own = f"{identity(model, history, RunSettings(seed=seed))}-{snapshots}-replicas"
    partial = PartialRun(Path(output), own)
    restarts = Restarts(partial.folder, on_failure, seed)
    first = partial.resume(_nothing, replicas)
    restarts.keep(first)
    progress(first * snapshots, "resumed" if first else "")
    began = time.perf_counter()
    futures = _Futures(
        model=model,
        history=history,
        snapshots=snapshots,
        seed=seed,
        device=device,
        folder=partial.run,
        restarts=restarts,
        pocket_limit=pocket_limit,
        progress=progress,
    )
    for start in range(first, replicas, batch):
        numbers = range(start, min(start + batch, replicas))
        futures.complete(numbers)
        # The files of complete batches do not grow any more: there is nothing to cut off.
        partial.commit(b"", numbers.stop, [])
    record = {
        **participants(model, complex),
        "engine": "torch",
        "device": device,
        "interval_ps": model.card.interval_ps,
        "replicas": replicas,
        "snapshots": snapshots,
        "seed": seed,
        "resumed_from": first,
        "restarts": restarts.record(),
        "seconds": round(time.perf_counter() - began, 3),
        **provenance(),
    }
    _finish(partial, complex, record)
    return partial.output


def _check_counts(replicas: int, snapshots: int) -> None:
    if snapshots < 1 or not 1 <= replicas <= MOST:
        raise InputError(
            f"{replicas} replicas of {snapshots} snapshots were asked for; 1 is the least, and "
            f"{MOST:,} replicas are the most"
        )


def replica_file(replica: int) -> str:
    """Name of the DCD of a replica, which is counted from 0."""
    return f"replica-{replica + 1:04d}.dcd"


def _nothing(_: bytes) -> None:
    """Restore nothing: a batch needs no state of the one before."""


@dataclass
class _Futures:
    """The replicas of a run and what computes them.

    Attributes
    ----------
    folder : Path
        Where their trajectories are until the run is complete.
    reached : dict of int to int
        Snapshots of each replica that `progress` has heard of; a restart makes them anew.
    """

    model: Model
    history: History
    snapshots: int
    seed: int
    device: str
    folder: Path
    restarts: Restarts
    pocket_limit: float | None
    progress: Advance
    reached: dict[int, int] = field(default_factory=dict)

    def complete(self, replicas: Sequence[int]) -> None:
        """Write the trajectories of a batch; what fails begins again, with other noise.

        Raises
        ------
        SimulationError
            See `simulate_replicas`.
        """
        self.reached = dict.fromkeys(replicas, 0)
        while replicas:  # which have failed equally often, so that their seed is the same
            seed = self.restarts.seed_from(0, replicas[0] + 1)
            replicas = self._attempt(replicas, self.seed if seed is None else seed)

    def _attempt(self, replicas: Sequence[int], seed: int) -> list[int]:
        """Compute replicas together, part after part; which of them have failed."""
        snapshots, complex = self.snapshots, self.history.complex
        parts = [min(PART, snapshots - done) for done in range(0, snapshots, PART)]
        futures = stream(
            self.model, complex, self.history, parts, replicas, seed=seed, device=self.device
        )
        interval, done = self.model.card.interval_ps, 0
        failed: list[int] = []
        with ExitStack() as stack:
            paths = [self.folder / replica_file(replica) for replica in replicas]
            files = [stack.enter_context(path.open("w+b")) for path in paths]
            writers = [app.DCDFile(file, complex.topology, interval, 1, 1) for file in files]
            for part in futures:
                for replica, path, writer, ligand in zip(replicas, paths, writers, part):
                    if replica in failed:
                        continue
                    try:
                        self._write(replica, writer, ligand, done)
                    except SimulationError as error:
                        self.restarts.add(0, error, path, replica + 1)
                        failed.append(replica)
                if len(failed) == len(replicas):
                    break
                done += part.shape[1]
        return failed

    def _write(self, replica: int, writer: app.DCDFile, ligand: np.ndarray, done: int) -> None:
        """Check and write one part (T, n, 3), Å, of a replica that has `done` snapshots."""
        complex = self.history.complex
        vectors = None if complex.box is None else complex.box * unit.nanometer
        finite = np.isfinite(ligand).all(axis=(1, 2))
        good = ligand if finite.all() else ligand[: finite.argmin()]
        for number, positions in enumerate(full_positions(complex, good), done + 1):
            self._check_pocket(positions, f"replica {replica + 1}, snapshot {number}")
            writer.writeModel(positions * unit.nanometer, periodicBoxVectors=vectors)
            if number > self.reached[replica]:
                self.reached[replica] = number
                self.progress(1, "")
        if len(good) < len(ligand):
            number = done + len(good) + 1
            raise SimulationError(
                f"replica {replica + 1}, snapshot {number}: a coordinate is not a number"
            )

    def _check_pocket(self, positions: np.ndarray, where: str) -> None:
        """Refuse positions (N, 3) in nm of a ligand that has left the pocket."""
        complex, limit = self.history.complex, self.pocket_limit
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
