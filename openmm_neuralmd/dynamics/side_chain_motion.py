"""Side chains that move with a predicted ligand, as plain arrays and valid snapshots.

Given the ligand at x_l, the side chains stand at x0 + u + A (x_l − its mean) + ε, where ε is an
Ornstein–Uhlenbeck process with the stiffness H of `side_chain_network`.  Its relaxation times are
those that were learned from ligands: the runs of side chains are stored without their times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..bindingnet.side_chains import SideChains
from .distance_repair import repaired
from .ou import NeuralOU
from .ou_process import OUProcess, unknown
from .ou_relaxation import mode_descriptors
from .ou_snapshots import TOLERANCES, SnapshotMaker, snapshot_maker
from .rigid_torsion import jacobian, rotatable_bonds
from .side_chain_springs import side_chain_springs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SideChainMotion:
    """Motion of the m atoms of side chains around a ligand of n heavy atoms.

    Attributes
    ----------
    side : SideChains
    process : OUProcess
        Of the side chains with the ligand at its mean; its centre is x0 + u.
    response : (3m, 3n)
        Displacement of the mean for a displacement of the ligand.
    ligand : OUProcess
        Of the ligand before any snapshot is known.
    makers : tuple of (rows, SnapshotMaker)
        Of each residue about the given structure, and its atoms among those that move.
    held : tuple of (pairs, lengths, tolerances)
        Distances within and between residues, see `distance_repair`.
    """

    side: SideChains
    process: OUProcess
    response: Array
    ligand: OUProcess
    makers: tuple[tuple[NDArray[np.int64], SnapshotMaker], ...]
    held: tuple[NDArray[np.int64], Array, Array]

    @property
    def atoms(self) -> NDArray[np.int64]:
        """Index in the topology (m,) of the atoms that move."""
        return self.side.atoms

    @property
    def displacement(self) -> Array:
        """Expected displacement (m, 3) in Å of the mean from the given structure."""
        return self.process.centre - self.side.start

    def rmsf(self, window_ps: float | None = None) -> Array:
        """RMSF (m,) in Å, the ligand's motion included, see `OUProcess.rmsf`."""
        pulled = (self.response @ self.ligand.modes) ** 2 @ self.ligand.variance(window_ps)
        own = self.process.modes**2 @ self.process.variance(window_ps)
        return np.sqrt((own + pulled).reshape(-1, 3).sum(-1))

    def following(
        self, ligand: ArrayLike, times_ps: ArrayLike, seed: int | Sequence[int] = 0
    ) -> Array:
        """Side chains (R, S, m, 3) in Å that go with trajectories of the ligand.

        Parameters
        ----------
        ligand : (R, S, n, 3)
            Å.
        times_ps : (S,)
            Increasing times of the snapshots; equal ones of one snapshot for independent replicas.
        seed : int or sequence of int
        """
        x = np.asarray(ligand, dtype=np.float64)
        generator = np.random.default_rng(seed)
        moved = self.process.draw(times_ps, len(x), generator, typical=True)
        away = (x - self.ligand.centre).reshape(*x.shape[:2], -1)
        moved += away @ self.response.T + self.displacement.reshape(-1)
        flat = moved.reshape(-1, self.side.start.size)
        atoms = np.empty((len(flat), len(self.atoms), 3))
        for rows, maker in self.makers:
            own = (3 * rows[:, None] + np.arange(3)).ravel()
            atoms[:, rows] = maker.moved(flat[:, own])
        return repaired(atoms, *self.held).reshape(*x.shape[:2], -1, 3)


@torch.no_grad()
def side_chain_motion(
    model: NeuralOU, side: SideChains, ligand: OUProcess
) -> SideChainMotion | None:
    """Motion of the side chains around a ligand, or None without a model of them or any near.

    Parameters
    ----------
    model : NeuralOU
    side : SideChains
    ligand : OUProcess
        Of the ligand before any snapshot is known.
    """
    network = model.side_chains
    if network is None or not len(side.atoms):
        return None
    c = side_chain_springs(side)
    motion = network.motion(c, network.corrections(c.springs))
    softness, modes = torch.linalg.eigh(motion.compliance)
    descriptors = mode_descriptors(
        1.0 / softness,
        modes,
        torch.as_tensor(jacobian(side.start, rotatable_bonds(side.chemistry))),
    )
    weights = model.relaxation(descriptors.to(model.relaxation.log_times.dtype)).double()
    process = unknown(
        side.start + motion.displacement.numpy().reshape(-1, 3),
        (1.0 / softness).numpy(),
        modes.numpy(),
        model.relaxation.times.double().numpy(),
        weights.numpy(),
    )
    makers = tuple(_makers(side, motion.compliance.numpy()))
    return SideChainMotion(
        side=side,
        process=replace(process, typical=float(network.log_typical.exp())),
        response=motion.response.numpy(),
        ligand=ligand,
        makers=makers,
        held=_held(side, makers),
    )


def _makers(
    side: SideChains, compliance: Array
) -> Iterator[tuple[NDArray[np.int64], SnapshotMaker]]:
    """A maker of valid snapshots for each residue, with the stiffness that it has by itself."""
    for residue in np.unique(side.residues):
        rows = np.flatnonzero(side.residues == residue)
        own = (3 * rows[:, None] + np.arange(3)).ravel()
        stiffness = np.linalg.inv(compliance[np.ix_(own, own)])
        yield rows, snapshot_maker(side.chemistry.part(rows), side.start[rows], stiffness)


def _held(
    side: SideChains, makers: Sequence[tuple[NDArray[np.int64], SnapshotMaker]]
) -> tuple[NDArray[np.int64], Array, Array]:
    """Distances that the residues hold, and bonds and angles between residues."""
    between = side.residues[:, None] != side.residues
    across = np.argwhere(np.triu(between & (side.chemistry.distances <= 2)))
    pairs = np.concatenate([across, *(rows[maker.pairs] for rows, maker in makers)])
    lengths = np.linalg.norm(side.start[pairs[:, 0]] - side.start[pairs[:, 1]], axis=-1)
    soft = np.full(len(across), TOLERANCES[2])
    return pairs, lengths, np.concatenate([soft, *(maker.tolerances for _, maker in makers)])
