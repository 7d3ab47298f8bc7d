"""Other poses of a ligand in its pocket: shifted, turned, and placed anew.

Candidates are rigid placements of a conformer; the one with the best contacts is taken, as a
docking program would, so that a decoy is a pose that could be meant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import AllChem
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

CONFORMERS = 30
CLOSE, NEAR, TOUCHING = 2.8, 3.2, 4.5
"""Å between heavy atoms: a clash, nearly one, a contact."""
SCORES = (-6.0, -1.0, 1.0)
"""Of a pair closer than each of these."""


class Kind(NamedTuple):
    """A kind of decoy.

    Attributes
    ----------
    candidates : int
    turn : float
        Largest rotation in degrees.
    shift : float
        Å, deviation of each coordinate of the centroid.
    conformers : bool
        Conformers of ETKDG in place of the given one.
    least : float
        Å, smallest RMSD of heavy atoms from the given pose.
    """

    candidates: int
    turn: float
    shift: float
    conformers: bool
    least: float


KINDS = {
    "shifted": Kind(400, 25.0, 1.0, False, 1.0),
    "turned": Kind(2000, 180.0, 0.7, False, 2.0),
    "placed anew": Kind(4000, 180.0, 1.5, True, 2.0),
}
"""By name."""


def decoy(molecule: Chem.Mol, protein: Array, kind: Kind, seed: int) -> Array:
    """Positions (L, 3) in Å of all atoms of a ligand in another pose.

    Parameters
    ----------
    molecule : rdkit.Chem.Mol
        With hydrogens, in the given pose.
    protein : (p, 3), Å
        Heavy atoms.
    kind : Kind
    seed : int
    """
    generator = np.random.default_rng(seed)
    given = molecule.GetConformer().GetPositions()
    heavy = np.array([atom.GetAtomicNum() > 1 for atom in molecule.GetAtoms()])
    forms = conformers(molecule, seed) if kind.conformers else [given]
    tree, centre = cKDTree(protein), given[heavy].mean(0)
    best, score = given, -np.inf
    for _ in range(kind.candidates):
        form = forms[generator.integers(len(forms))]
        axis = generator.normal(size=3)
        angle = np.radians(kind.turn) * generator.random()
        turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
        if kind.conformers:
            turn = Rotation.random(random_state=generator)
        place = turn.apply(form - form[heavy].mean(0)) + centre
        place += kind.shift * generator.normal(size=3)
        away = np.sqrt(((place - given)[heavy] ** 2).sum(-1).mean())
        if away < kind.least:
            continue
        value = contacts(tree, place[heavy])
        if value > score:
            best, score = place, value
    if not np.isfinite(score):
        raise ValueError(f"none of {kind.candidates} placements is {kind.least} Å away")
    return best


def contacts(tree: cKDTree, ligand: Array) -> float:
    """Score of a pose by its pairs with the protein's heavy atoms."""
    clash, nearly, touching = (
        tree.query_ball_point(ligand, reach, return_length=True).sum()
        for reach in (CLOSE, NEAR, TOUCHING)
    )
    pairs = (clash, nearly - clash, touching - nearly)
    return float(np.dot(SCORES, pairs))


def conformers(molecule: Chem.Mol, seed: int) -> list[Array]:
    """Conformers by ETKDG, Å."""
    copy = Chem.Mol(molecule)
    parameters = AllChem.ETKDGv3()
    parameters.randomSeed = seed % 2**31
    numbers = AllChem.EmbedMultipleConfs(copy, CONFORMERS, parameters)
    return [copy.GetConformer(k).GetPositions() for k in numbers]
