"""Prediction from one structure: NeuralMD-OU evaluated once, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from openmm import app
from rdkit import Chem

from ..bindingnet.chemistry import LigandChemistry, ligand_chemistry
from ..bindingnet.pocket import PocketAtoms, pocket_atoms
from ..structure.complex import Complex
from ..units import to_angstrom
from .ou import LARGE, NeuralOU, torsion_rows
from .ou_process import OUProcess, unknown
from .ou_relaxation import mode_descriptors
from .ou_snapshots import SnapshotMaker, snapshot_maker
from .ou_wells import ANGLES, hop, wells
from .rigid_torsion import jacobian, rotatable_bonds
from .springs import springs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Distribution over the motion of a ligand of n heavy atoms in its pocket.

    Attributes
    ----------
    atoms : (n,) int64
        Index in the molecule of each heavy atom.
    pose : (n, 3)
        The given pose, Å.
    process : OUProcess
        Displaced mean, modes, variances and rates; see there.
    chemistry : LigandChemistry
    maker : SnapshotMaker
        About the given pose, or the last known snapshot: nothing is lost where a ligand has
        turned far from the pose.
    quadruples : (r, 4) int64
        Torsions of the rotatable bonds.
    wells : (r, 4)
        Probability of each torsion's wells: as given, +120°, 180°, −120°.
    small : (r,) bool
        Torsions that hop in trajectories: at most `ou.LARGE` atoms turn.  Larger parts turn within
        the width of the stiffness, which was learned from runs that include such turns.
    hop_rate : float
        Per ps.
    now : (r,) int64 or None
        Wells at the present, once snapshots are known.
    """

    atoms: NDArray[np.int64]
    pose: Array
    process: OUProcess
    chemistry: LigandChemistry
    maker: SnapshotMaker
    quadruples: NDArray[np.int64]
    wells: Array
    small: NDArray[np.bool_]
    hop_rate: float
    now: NDArray[np.int64] | None = None

    @property
    def displacement(self) -> Array:
        """Expected displacement (n, 3) in Å of the mean from the given pose."""
        return self.process.mean() - self.pose

    def rmsf(self, window_ps: float | None = None) -> Array:
        """RMSF (n,) in Å, see `OUProcess.rmsf`."""
        return self.process.rmsf(window_ps)

    def given(self, snapshots: ArrayLike, interval_ps: float) -> Prediction:
        """Condition on known snapshots (T, n, 3) in Å; the last of them is the present."""
        known = np.asarray(snapshots, dtype=np.float64)
        if not len(known):
            return self
        now = wells(known[-1:], self.pose, self.quadruples)[0] * self.small
        maker = snapshot_maker(self.chemistry, known[-1], self.process.stiffness())
        process = self.process.given(known, interval_ps)
        return replace(self, process=process, maker=maker, now=now)

    def snapshots(
        self, replicas: int, seed: int = 0, hops: bool = True, typical: bool = False
    ) -> Array:
        """Independent snapshots (R, n, 3) in Å at the present: valid molecules."""
        generator = np.random.default_rng(seed)
        moved = self.process.present(replicas, generator, typical)
        return self._molecules(moved[:, None], np.zeros(1), generator, hops)[:, 0]

    def trajectories(
        self,
        times_ps: ArrayLike,
        replicas: int = 1,
        seed: int | Sequence[int] = 0,
        hops: bool = True,
        typical: bool = False,
    ) -> Array:
        """Trajectories (R, S, n, 3) in Å at increasing times (S,) in ps after the present.

        Parameters
        ----------
        times_ps : (S,)
        replicas : int
        seed : int or sequence of int
        hops : bool
            Whether torsions hop between wells.
        typical : bool
            See `OUProcess.draw`.
        """
        generator = np.random.default_rng(seed)
        moved = self.process.draw(times_ps, replicas, generator, typical)
        return self._molecules(moved, times_ps, generator, hops)

    def _molecules(
        self, moved: Array, times_ps: ArrayLike, generator: np.random.Generator, hops: bool
    ) -> Array:
        """Valid molecules (R, S, n, 3) from displacements (R, S, 3n) from the centre, and hops."""
        moved += (self.process.centre - self.maker.pose).reshape(-1)
        angles = None
        if hops and len(self.wells):
            now = self.now
            states = hop(times_ps, self.wells, self.hop_rate, len(moved), generator, now)
            # The process already stands in the known wells: only turns from there are added.
            turns = ANGLES[states * self.small] - (0.0 if now is None else ANGLES[now])
            angles = turns.reshape(-1, len(self.wells))
        flat = self.maker(moved.reshape(-1, moved.shape[-1]), angles)
        return flat.reshape(*moved.shape[:2], -1, 3)


def predict_ensemble(
    model: NeuralOU,
    molecule: Chem.Mol,
    topology: app.Topology,
    positions: ArrayLike,
) -> Prediction:
    """Predict the motion of a ligand from one structure.

    Parameters
    ----------
    model : NeuralOU
    molecule : rdkit.Chem.Mol
        With its 3D pose in the protein's frame; hydrogens explicit or implicit.
    topology : openmm.app.Topology
        Of the protein, with or without hydrogens; water in it is left out.
    positions : (N, 3)
        Of the protein, Å.
    """
    chemistry = ligand_chemistry(molecule)
    pose = molecule.GetConformer().GetPositions()[chemistry.atoms]
    return predict_pose(model, chemistry, pose, pocket_atoms(topology, positions, pose))


def predict_complex(model: NeuralOU, complex: Complex) -> Prediction:
    """`predict_ensemble` of a Complex whose ligand has its bond orders, at its own positions.

    Raises
    ------
    InputError
        The bond orders are not known, see `Complex.chemistry`.
    """
    positions = to_angstrom(complex.positions)
    chemistry, pose = ligand_chemistry(complex.chemistry), positions[complex.ligand_heavy]
    return predict_pose(model, chemistry, pose, pocket_atoms(complex.topology, positions, pose))


@torch.no_grad()
def predict_pose(
    model: NeuralOU, chemistry: LigandChemistry, pose: ArrayLike, pocket: PocketAtoms
) -> Prediction:
    """`predict_ensemble` from the parts that it reads: heavy atoms at `pose` (n, 3) in Å."""
    x = np.asarray(pose, dtype=np.float64)
    c = springs(chemistry, x, pocket)
    corrections = model.corrections(c)
    gaussian = model.gaussian(c, corrections)
    rotatable = rotatable_bonds(chemistry)
    values, modes = torch.linalg.eigh(gaussian.stiffness)
    columns = torch.as_tensor(jacobian(x, rotatable))
    relaxation = model.relaxation
    descriptors = mode_descriptors(values, modes, columns)
    dtype = relaxation.log_times.dtype
    process = unknown(
        x + gaussian.displacement.numpy().reshape(-1, 3),
        values.numpy(),
        modes.numpy(),
        relaxation.times.double().numpy(),
        relaxation(descriptors.to(dtype)).double().numpy(),
    )
    typical = float(model.log_typical.exp())
    process = replace(process, freedom=float(gaussian.freedom), typical=typical)
    rows = torsion_rows(c, torch.as_tensor(rotatable.quadruples))
    large = torch.as_tensor(rotatable.turning() > LARGE)
    probabilities = model.wells(c, rows.clamp(min=0), large, corrections).numpy()
    probabilities[rows.numpy() < 0] = (1.0, 0.0, 0.0, 0.0)
    return Prediction(
        atoms=chemistry.atoms,
        pose=x,
        process=process,
        chemistry=chemistry,
        maker=snapshot_maker(chemistry, x, gaussian.stiffness.numpy()),
        quadruples=rotatable.quadruples,
        wells=probabilities,
        small=~large.numpy(),
        hop_rate=float(model.log_hop_rate.exp()),
    )
