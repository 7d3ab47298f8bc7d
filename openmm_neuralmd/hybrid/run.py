"""`run_hybrid`: jumps and all-atom MD in turn, resumable, with a log that says which is which."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from openmm import unit

from ..errors import SimulationError, one_line
from ..md.equilibration import equilibrate
from ..md.folder import ComplexFolder
from ..md.outcome import TOPOLOGY, publish
from ..md.selection import part_of_topology
from ..utils.platforms import describe_platform
from ..utils.progress import Advance, silent
from ..utils.provenance import provenance
from ..utils.resume import PartialRun, check_free
from ..utils.times import whole_strides
from .chain import LOG, MD, Chain, run_files
from .contexts import context_cache
from .engines import FAILURES
from .jump import NeuralMDJumpMove
from .sdf import POSES
from .settings import HybridSettings
from .use import use_of_averages


@dataclass(frozen=True)
class HybridRun:
    """Files and counts of a finished hybrid run.

    Attributes
    ----------
    path, trajectory, topology, log, poses : Path
        Folder; in it the trajectory, the PDB that matches it, hybrid.csv and jumps.sdf.
    snapshots, resumed_from : int
    kinds : Counter
        How many snapshots are 'jump', 'fallback' and 'md'.
    reasons : Counter
        Why jumps were dropped.
    seconds : float
        Wall time of the snapshots made now.
    use : str
        What averages over the run may be used for; the last entry of run.yaml, too.
    """

    path: Path
    trajectory: Path
    topology: Path
    log: Path
    poses: Path
    snapshots: int
    resumed_from: int
    kinds: Counter[str]
    reasons: Counter[str]
    seconds: float
    use: str


def run_hybrid(
    model: str | Path,
    folder: str | Path,
    output: str | Path,
    time_ps: float,
    *,
    settings: HybridSettings | None = None,
    known: np.ndarray | None = None,
    progress: Advance = silent,
) -> HybridRun:
    """Equilibrate a complex, then alternate jumps of a model and MD; write the folder `output`.

    Until it is complete everything is in the hidden folder '.NAME.partial'; called again after an
    interruption it goes on after the last snapshot, exactly (on one thread: forces that threads
    add up in another order differ in their last digits).

    Parameters
    ----------
    model, folder, known : see `NeuralMDJumpMove`
    output : path
        Must not exist.  Gets topology.pdb, trajectory.dcd or .xtc, hybrid.csv, jumps.sdf,
        system.xml, ligand.sdf and run.yaml.
    time_ps : float
        Rounded up to whole strides of the model.
    settings : HybridSettings, optional
    progress : callable, optional
        See `progress.Advance`; called for every snapshot, and with 0 where a stage begins.

    Raises
    ------
    InputError, ModelError
        Nothing of this can be run.
    SimulationError
        MD failed; the snapshots before it are kept.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import HybridSettings, JumpSettings, read_poses, run_hybrid
    >>> from openmm_neuralmd.md import MDSettings
    >>> settings = HybridSettings(
    ...     before=1,
    ...     md=MDSettings(mode="rigid", equilibration_ps=0.1),
    ...     jump=JumpSettings(relax_ps=0.1, interval_ps=0.5),
    ... )
    >>> run = run_hybrid("neuralmd-ou", folder.path, scratch / "run", 1.0, settings=settings)
    >>> run.snapshots, run.kinds["md"]  # the other one is a jump, or MD where it was refused
    (2, 1)
    """
    settings, output = settings or HybridSettings(), Path(output)
    settings.check()
    check_free(output)
    md, jump = settings.md, settings.jump
    move = NeuralMDJumpMove(
        model, folder, md=md, settings=jump, known=known, engine=settings.engine, seed=md.seed
    )
    opened, total = ComplexFolder.open(folder), whole_strides(time_ps, move.interval_ps)
    partial = PartialRun(output, _identity(move, opened, settings, known))
    start = equilibrate(move.setup, md, partial.folder, lambda stage: progress(0, stage))
    chain = Chain(move, settings, start, context_cache(md))
    first = partial.resume(chain.load, total)
    progress(first, "production")
    began = time.perf_counter()
    with run_files(partial, chain, first > 0) as (trajectory, log, files):
        for number in range(first + 1, total + 1):
            try:
                row = chain.advance(number)
            except FAILURES as error:
                raise SimulationError(
                    f"snapshot {number}: MD failed: {one_line(error)}; the snapshots before it are "
                    f"kept in {partial.run}"
                ) from error
            trajectory.writeModel(
                chain.positions()[chain.written] * unit.nanometer,
                periodicBoxVectors=chain.state.box_vectors,
            )
            log(row, chain.poses(number) if row["kind"] != MD else "")
            partial.commit(chain.dump(), number, files)
            progress(1, f"{row['kind']} {row['reason']}".strip())
    seconds = time.perf_counter() - began
    return _published(partial, opened, chain, settings, (total, first, seconds))


def _identity(
    move: NeuralMDJumpMove, folder: ComplexFolder, settings: HybridSettings, known: Any
) -> str:
    decisive = {
        "model": move.model.sha256,
        "files": folder.record["files"],
        "settings": asdict(settings),
        "known": hashlib.sha256(np.asarray(() if known is None else known).tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _published(
    partial: PartialRun,
    folder: ComplexFolder,
    chain: Chain,
    settings: HybridSettings,
    counts: tuple[int, int, float],
) -> HybridRun:
    move, (total, first, seconds) = chain.move, counts
    with (partial.run / LOG).open(newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = Counter(row["kind"] for row in rows)
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    use = use_of_averages(kinds, settings.jump.draw)
    content = {
        "model": {"name": move.model.card.name, "sha256": move.model.sha256},
        "complex": {"name": folder.name, "files": folder.record["files"]},
        "settings": asdict(settings),
        "engine": move.engine.describe(),
        "platform": describe_platform(chain.target),
        "interval_ps": move.interval_ps,
        "snapshots": total,
        "resumed_from": first,
        "seconds": round(seconds, 3),
        "kinds": dict(kinds),
        "reasons": dict(reasons),
        "unbiased": False,
        **provenance(),
        "use": use,
    }
    topology = part_of_topology(move.setup.topology, chain.written)
    publish(partial, move.setup, topology, chain.written, content, folder)
    place = partial.output
    trajectory = place / f"trajectory.{settings.md.format}"
    names = (place, trajectory, place / TOPOLOGY, place / LOG, place / POSES)
    return HybridRun(*names, total, first, kinds, reasons, seconds, use)
