"""State of a hybrid run, the steps that advance it, and the files that it grows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import openmm
from openmm import unit
from openmmtools import cache

from ..md.records import open_trajectory
from ..md.selection import part_of_topology, written_atoms
from ..units import nanometers
from ..utils.resume import PartialRun
from .contexts import kilojoules, put
from .jump import NeuralMDJumpMove
from .sdf import POSES, pose_blocks
from .settings import HybridSettings

LOG = "hybrid.csv"
COLUMNS = ("snapshot", "time_ps", "kind", "reason", "jump_kj_mol", "potential_kj_mol", "message")
MD = "md"


class Chain:
    """State of a run, and the steps that advance it."""

    def __init__(
        self,
        move: NeuralMDJumpMove,
        settings: HybridSettings,
        start: openmm.State,
        contexts: cache.ContextCache,
    ) -> None:
        self.move, self.settings, self.contexts = move, settings, contexts
        self.thermodynamic = move.thermodynamic_state()
        self.state = move.sampler_state()
        if move.setup.periodic:
            self.state.box_vectors = start.getPeriodicBoxVectors()
        self.state.positions = start.getPositions(asNumpy=True)
        self.state.velocities = start.getVelocities(asNumpy=True)
        self.target, _ = contexts.get_context(self.thermodynamic)
        self.written = written_atoms(move.complex, settings.md.write)
        move.observe(self.state)

    def advance(self, number: int) -> dict[str, str]:
        """Advance by one stride, and return the row of the log."""
        move = self.move
        energy, reason, message, kind = "", "", "", MD
        if self.settings.jumps_at(number):
            move.apply(self.thermodynamic, self.state, self.contexts)
            assert move.last is not None
            kind, reason, message = move.last.kind, move.last.reason, move.last.message
            energy = f"{move.last.energy:.6g}"
        else:
            words = np.random.SeedSequence([self.settings.md.seed, 1, number]).generate_state(1)
            seed = int(words[0] >> 1)
            move.run(self.target, self.thermodynamic, self.state, move.steps, seed)
            move.observe(self.state)
        put(self.target, self.state)
        potential = kilojoules(self.target.getState(energy=True).getPotentialEnergy())
        values = (number, f"{number * move.interval_ps:.9g}", kind, reason, energy)
        cells = (*map(str, values), f"{potential:.12g}", message)
        return dict(zip(COLUMNS, cells, strict=True))

    def poses(self, number: int) -> str:
        """Poses of the last jump, for the SDF."""
        move = self.move
        assert move.last is not None
        return pose_blocks(move.ligand, move.complex.ligand, move.last, number)

    def positions(self) -> np.ndarray:
        """Positions (N, 3) in nm, protein and ligand whole and in one image."""
        return self.move.history.whole(*self.move.present(self.state))

    def dump(self) -> bytes:
        """Serialize all state that decides the further run."""
        box = self.state.box_vectors
        buffer = io.BytesIO()
        np.savez(
            buffer,
            positions=nanometers(self.state.positions),
            velocities=self.state.velocities.value_in_unit(unit.nanometer / unit.picosecond),
            box=np.zeros(0) if box is None else nanometers(box),
            known=self.move.history.known,
            statistics=np.array(json.dumps(self.move.statistics)),
        )
        return buffer.getvalue()

    def load(self, content: bytes) -> None:
        """Restore what `dump` has serialized."""
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            if saved["box"].size:
                self.state.box_vectors = saved["box"] * unit.nanometer
            self.state.positions = saved["positions"] * unit.nanometer
            self.state.velocities = saved["velocities"] * (unit.nanometer / unit.picosecond)
            self.move.history.known = saved["known"]
            self.move.statistics = json.loads(str(saved["statistics"]))


@contextmanager
def run_files(partial: PartialRun, chain: Chain, append: bool) -> Iterator[tuple[Any, Any, Any]]:
    """The trajectory's writer, a function that adds to log and poses, and the three files."""
    move = chain.move
    path = partial.run / f"trajectory.{chain.settings.md.format}"
    topology = part_of_topology(move.setup.topology, chain.written)
    with (
        (partial.run / LOG).open("a", newline="") as table,
        (partial.run / POSES).open("a") as molecules,
        open_trajectory(path, topology, move.interval_ps, append) as trajectory,
    ):
        writer = csv.DictWriter(table, fieldnames=COLUMNS)
        if not append:
            writer.writeheader()

        def log(row: dict[str, str], poses: str) -> None:
            writer.writerow(row)
            molecules.write(poses)
            table.flush()
            molecules.flush()

        yield trajectory, log, (path, partial.run / LOG, partial.run / POSES)
