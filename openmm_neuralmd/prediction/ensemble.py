"""A prediction as plain arrays, each figure with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from openmm.app.topology import Residue
from rdkit import Chem
from scipy.spatial.distance import cdist

from ..bindingnet.chemistry import LigandChemistry, ligand_chemistry
from ..bindingnet.pocket import PocketAtoms, pocket_atoms
from ..bindingnet.side_chains import side_chains
from ..dynamics.ou import NeuralOU
from ..dynamics.ou_prediction import Prediction, predict_pose
from ..dynamics.side_chain_motion import side_chain_motion
from ..dynamics.springs import springs
from ..model import ModelCard
from ..prepare.chemistry import Ligand
from ..structure.complex import Complex
from ..structure.residues import describe
from ..training.ou_domain import descriptors
from ..units import to_angstrom
from .domain import unlike
from .pocket import PocketPrediction, pocket_prediction, positions_around

Array = NDArray[np.float64]

WITHIN = 2.0
"""Å; RMSD from the given pose below which a pose counts as kept."""
CONTACT = 4.5
"""Å between heavy atoms."""
DRAWS = 400
"""Independent snapshots that contacts and pose stability are counted in."""
WINDOW = 250.0
"""ps; RMSFs are about the mean of runs of this length, where a model's card has none."""
DEFAULT_ERROR = 0.3
"""Error of ln RMSF where a model's card has none."""
WELLS = ("as given", "+120°", "180°", "−120°")


@dataclass(frozen=True)
class Contact:
    """A residue of the pocket and the share of time that the ligand touches it.

    Attributes
    ----------
    residue : str
        'ASP A:86'.
    occupancy, low, high : float
        Between 0 and 1.
    """

    residue: str
    occupancy: float
    low: float
    high: float


@dataclass(frozen=True)
class Torsion:
    """A rotatable bond and the probability of its wells, relative to the given pose.

    Attributes
    ----------
    atoms : tuple of str
        Names of the four atoms.
    wells : tuple of float
        Probability of each of `WELLS`.

    Examples
    --------
    >>> from openmm_neuralmd.prediction import Torsion
    >>> Torsion(atoms=("C1", "C2", "C3", "C4"), wells=(0.7, 0.1, 0.1, 0.1)).wells[0]  # as given
    0.7
    """

    atoms: tuple[str, ...]
    wells: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class LigandPrediction:
    """Predicted motion of one ligand with n heavy atoms, in its pocket.

    Attributes
    ----------
    name, smiles : str
    complex : Complex
        Protein without hydrogens, and the ligand with its own.
    molecule : rdkit.Chem.Mol
    atom_names : tuple of str
        Of the heavy atoms.
    pose : (n, 3)
        Given positions of the heavy atoms, Å.
    snapshots : (S, n, 3)
        A trajectory from the given pose, Å; the first snapshot is one interval after it.
    interval_ps : float
    rmsf, rmsf_low, rmsf_high : (n,)
        RMSF about the mean of a run of the training's length and its 95 % interval, Å.
    displacement : (n, 3)
        Expected displacement of the mean from the given pose, Å.
    displacement_uncertainty : float
        Å; standard deviation over the members of the model.
    torsions : tuple of Torsion
    contacts : tuple of Contact
        The most frequent first.
    stays, stays_low, stays_high : float
        Probability that the RMSD from the given pose is below 2 Å.
    pocket : PocketPrediction or None
        The residues around the ligand; None where the model has them stand still.
    unlike : tuple of str
        Why this complex is unlike the training set; empty where it is alike.
    """

    name: str
    smiles: str
    complex: Complex
    molecule: Chem.Mol
    atom_names: tuple[str, ...]
    pose: Array
    snapshots: Array
    interval_ps: float
    rmsf: Array
    rmsf_low: Array
    rmsf_high: Array
    displacement: Array
    displacement_uncertainty: float
    torsions: tuple[Torsion, ...]
    contacts: tuple[Contact, ...]
    stays: float
    stays_low: float
    stays_high: float
    pocket: PocketPrediction | None
    unlike: tuple[str, ...]


def predicted(
    model: NeuralOU,
    card: ModelCard,
    complex: Complex,
    ligand: Ligand,
    *,
    snapshots: int,
    interval_ps: float,
    seed: int,
) -> LigandPrediction:
    """Predict one ligand, see `run.predict`."""
    chemistry = ligand_chemistry(ligand.molecule)
    pose = to_angstrom(ligand.positions)[chemistry.atoms]
    positions = to_angstrom(complex.positions)
    pocket = pocket_atoms(complex.topology, positions, pose)
    prediction = predict_pose(model, chemistry, pose, pocket)
    factor, pocket_factor = (
        float(np.exp(1.96 * card.metrics.get(name, DEFAULT_ERROR)))
        for name in ("log_rmsf_error", "pocket_log_rmsf_error")
    )
    window = float(card.training.get("window_ps", WINDOW))
    rmsf = prediction.rmsf(window)
    times = interval_ps * np.arange(1.0, snapshots + 1)
    draws = prediction.snapshots(DRAWS, seed=seed)
    moved = prediction.trajectories(times, 1, seed=seed)[0]
    near = side_chains(complex.topology, positions, chemistry, pose)
    motion = side_chain_motion(model, near, prediction.process)
    around = positions_around(motion, pocket.atoms, pocket.positions, draws, seed)
    names = ligand.atom_names
    atoms = list(complex.topology.atoms())
    residues = [atoms[i].residue for i in pocket.atoms.tolist()]
    stays = [_stays(draws, pose, scale) for scale in (1.0, factor, 1.0 / factor)]
    return LigandPrediction(
        name=ligand.name,
        smiles=ligand.smiles,
        complex=complex,
        molecule=ligand.molecule,
        atom_names=tuple(names[i] for i in chemistry.atoms.tolist()),
        pose=pose,
        snapshots=moved,
        interval_ps=interval_ps,
        rmsf=rmsf,
        rmsf_low=rmsf / factor,
        rmsf_high=rmsf * factor,
        displacement=prediction.displacement,
        displacement_uncertainty=_spread(model, chemistry, pose, pocket),
        torsions=_torsions(prediction, names),
        contacts=_contacts(draws, factor, around, residues),
        stays=stays[0],
        stays_low=min(stays),
        stays_high=max(stays),
        pocket=None
        if motion is None
        else pocket_prediction(motion, complex, moved, times, window, pocket_factor, seed),
        unlike=_unlike(card, ligand, chemistry, pose, pocket, residues),
    )


def _unlike(
    card: ModelCard,
    ligand: Ligand,
    chemistry: LigandChemistry,
    pose: Array,
    pocket: PocketAtoms,
    residues: list[Residue],
) -> tuple[str, ...]:
    """Reasons why the complex is unlike the training set, see `domain.unlike`."""
    elements = [ligand.molecule.GetAtomWithIdx(int(i)).GetAtomicNum() for i in chemistry.atoms]
    names = [residue.name for residue in residues if residue.name != "HOH"]
    return tuple(unlike(card, elements, names, descriptors(chemistry, pose, pocket)))


def scaled(draws: ArrayLike, scale: float) -> Array:
    """Snapshots (S, n, 3) whose motion about their mean is larger or smaller."""
    x = np.asarray(draws, dtype=np.float64)
    mean = x.mean(axis=0)
    return mean + scale * (x - mean)


def _stays(draws: Array, pose: Array, scale: float) -> float:
    away = scaled(draws, scale) - pose
    return float((np.sqrt((away**2).sum(-1).mean(-1)) < WITHIN).mean())


def _contacts(
    draws: Array, factor: float, around: Array, residues: list[Residue]
) -> tuple[Contact, ...]:
    """Occupancy of each residue as predicted, and with larger and smaller motion."""
    names = [describe(residue) for residue in residues]
    order = sorted(set(names), key=names.index)
    member = np.array([[name == one for name in names] for one in order])
    rows = [
        _occupancy(scaled(draws, f), scaled(around, f), member) for f in (1.0, factor, 1.0 / factor)
    ]
    frequent = [
        Contact(name, float(p[0]), float(p.min()), float(p.max()))
        for name, p in zip(order, np.array(rows).T)
        if p.max() >= 0.05
    ]
    return tuple(sorted(frequent, key=lambda contact: -contact.occupancy))


def _occupancy(x: Array, around: Array, member: NDArray[np.bool_]) -> Array:
    """Share of snapshots (S, n, 3) in which the ligand touches each residue (rows of `member`)."""
    nearest = [cdist(one, other, "sqeuclidean").min(axis=0) for one, other in zip(x, around)]
    touching = np.array(nearest) < CONTACT**2
    share: Array = (touching @ member.T.astype(np.float64) > 0).mean(axis=0)
    return share


def _torsions(prediction: Prediction, names: list[str]) -> tuple[Torsion, ...]:
    label = [names[i] for i in prediction.atoms.tolist()]
    return tuple(
        Torsion(tuple(label[i] for i in row), tuple(float(p) for p in wells))
        for row, wells in zip(prediction.quadruples.tolist(), prediction.wells)
    )


def _spread(model: NeuralOU, chemistry: LigandChemistry, pose: Array, pocket: PocketAtoms) -> float:
    """Standard deviation of the displacement over the model's members, Å; NaN for a single one."""
    if len(model.members) < 2:
        return float("nan")
    c = springs(chemistry, pose, pocket)
    with torch.no_grad():
        each = [model(c, member).displacement.numpy() for member in range(len(model.members))]
    return float(np.sqrt(np.var(np.array(each), axis=0, ddof=1).reshape(-1, 3).sum(-1).mean()))
