"""Predicted motion of the residues around a ligand, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bindingnet.side_chains import BACKBONE
from ..dynamics.side_chain_motion import SideChainMotion
from ..structure.complex import Complex
from ..structure.residues import describe

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ResidueMotion:
    """Motion of a side chain, as the mean over its heavy atoms.

    Attributes
    ----------
    residue : str
        'ASP A:86'.
    rmsf, low, high : float
        RMSF and its 95 % interval, Å.
    displacement : float
        Length of the expected displacement from the given structure, Å.

    Examples
    --------
    >>> from openmm_neuralmd.prediction import ResidueMotion
    >>> one = ResidueMotion("ASP A:86", rmsf=0.5, low=0.3, high=0.8, displacement=0.1)
    >>> one.low < one.rmsf < one.high
    True
    """

    residue: str
    rmsf: float
    low: float
    high: float
    displacement: float


@dataclass(frozen=True, eq=False)
class PocketPrediction:
    """Predicted motion of m heavy atoms of the residues around a ligand.

    Attributes
    ----------
    atoms : (m,) int64
        Index in the topology of the complex.
    residues, names : tuple of str
        Residue ('ASP A:86') and name of each atom.
    start : (m, 3)
        Given positions, Å.
    snapshots : (S, m, 3)
        At the times of the ligand's snapshots, Å.
    rmsf, rmsf_low, rmsf_high : (m,)
        RMSF about the mean of a run and its 95 % interval, Å.
    displacement : (m, 3)
        Expected displacement of the mean from the given structure, Å.

    Examples
    --------
    >>> from openmm_neuralmd import predict
    >>> from openmm_neuralmd.examples import predict_example
    >>> (one,) = predict(*predict_example(), time=2.0)
    >>> one.pocket.snapshots.shape == (2, len(one.pocket.atoms), 3)
    True
    """

    atoms: NDArray[np.int64]
    residues: tuple[str, ...]
    names: tuple[str, ...]
    start: Array
    snapshots: Array
    rmsf: Array
    rmsf_low: Array
    rmsf_high: Array
    displacement: Array

    @classmethod
    def of(cls, complex: Complex, atoms: NDArray[np.int64], **arrays: Array) -> PocketPrediction:
        """Name the atoms of these arrays by the complex's topology."""
        every = list(complex.topology.atoms())
        own = [every[i] for i in atoms.tolist()]
        labels = tuple(describe(atom.residue) for atom in own)
        return cls(atoms, labels, tuple(atom.name for atom in own), **arrays)

    def side_chains(self) -> tuple[ResidueMotion, ...]:
        """Motion of each side chain, those that move most first."""
        side = np.array([name not in BACKBONE for name in self.names])
        moved = np.linalg.norm(self.displacement, axis=1)
        columns = (self.rmsf, self.rmsf_low, self.rmsf_high, moved)
        labels = np.array(self.residues)
        out = []
        for residue in dict.fromkeys(self.residues):
            rows = side & (labels == residue)
            if rows.any():
                out.append(ResidueMotion(residue, *(float(c[rows].mean()) for c in columns)))
        return tuple(sorted(out, key=lambda one: -one.rmsf))


def pocket_prediction(
    motion: SideChainMotion,
    complex: Complex,
    snapshots: Array,
    times_ps: Array,
    window_ps: float,
    factor: float,
    seed: int,
) -> PocketPrediction:
    """Motion that goes with a trajectory of the ligand.

    Parameters
    ----------
    motion : SideChainMotion
    complex : Complex
    snapshots : (S, n, 3)
        Of the ligand, Å.
    times_ps : (S,)
    window_ps : float
        RMSFs are about the mean of a run of this length.
    factor : float
        By which an RMSF may be larger or smaller.
    seed : int
    """
    rmsf = motion.rmsf(window_ps)
    return PocketPrediction.of(
        complex,
        motion.atoms,
        start=motion.side.start,
        snapshots=motion.following(snapshots[None], times_ps, seed)[0],
        rmsf=rmsf,
        rmsf_low=rmsf / factor,
        rmsf_high=rmsf * factor,
        displacement=motion.displacement,
    )


def positions_around(
    motion: SideChainMotion | None,
    atoms: NDArray[np.int64],
    positions: Array,
    draws: Array,
    seed: int,
) -> Array:
    """Positions (S, p, 3) in Å of atoms of the protein beside draws (S, n, 3) of the ligand."""
    around = np.repeat(positions[None], len(draws), axis=0)
    if motion is not None:
        place = {int(atom): k for k, atom in enumerate(motion.atoms)}
        here = [(k, place[int(a)]) for k, a in enumerate(atoms) if int(a) in place]
        rows, columns = np.array(here, dtype=np.int64).reshape(-1, 2).T
        around[:, rows] = motion.following(draws[:, None], np.zeros(1), seed)[:, 0, columns]
    return around
