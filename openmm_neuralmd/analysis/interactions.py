"""Interactions of the ligand with residues: ProLIF's fingerprints of predicted snapshots."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from rdkit import Chem
from scipy.spatial import cKDTree

from ..errors import InputError
from ..structure.imaging import superpose
from ..structure.residues import WATER, describe
from ..units import to_angstrom
from ..utils.optional import optional_import
from .coordinates import Array, checked
from .poses import posed

if TYPE_CHECKING:
    import prolif

    from ..structure.complex import Complex

REACH = 8.0
"""Å from the ligand: farther residues have no part in any interaction."""

Occupancies = dict[tuple[str, str], float]
"""Share of the snapshots that have an interaction, by (residue, kind)."""


def _prolif() -> Any:
    return optional_import("prolif", extra="validate", purpose="comparing interactions")


def pocket_molecule(
    pdb: str | Path, complex: Complex, around: ArrayLike, reach: float = REACH
) -> prolif.Molecule:
    """The protein near a ligand, with its hydrogens, as ProLIF reads it.

    It stands still, its Cα laid on the complex's: what a residue does while the ligand moves is not
    in an interaction.

    Parameters
    ----------
    pdb : path
        All atoms, such as `start.pdb.gz` of a reference set, anywhere in space; water and the
        ligand are left out.
    complex : Complex
        The protein, or a part of it, where the ligand sees it.
    around : array (n, 3)
        Where the ligand is, Å, in the complex's frame.
    reach : float
        Å.

    Raises
    ------
    InputError
        No residue is near, the file lacks residues of the complex, or RDKit cannot read it.
    """
    return pocket_from_text(_text(Path(pdb)), str(pdb), complex, around, reach)


def pocket_from_text(
    text: str, name: str, complex: Complex, around: ArrayLike, reach: float = REACH
) -> prolif.Molecule:
    """Read the protein near a ligand from the text of a PDB file; see `pocket_molecule`.

    Parameters
    ----------
    text : str
    name : str
        Name of the file or complex, for error messages.
    """
    prolif = _prolif()
    lines = _protein_lines(text, complex)
    if not lines:
        raise InputError(f"{name}: no protein atoms")
    residues = [line[17:27] for line in lines]
    positions = _superposed(lines, name, complex)
    distance, _ = cKDTree(checked(np.asarray(around)[None], "around")[0]).query(positions)
    near = {residue for residue, d in zip(residues, distance, strict=True) if d < reach}
    chosen = [residue in near for residue in residues]
    block = "".join(line for line, is_near in zip(lines, chosen, strict=True) if is_near)
    molecule = Chem.MolFromPDBBlock(f"{block}END\n", removeHs=False) if block else None
    if molecule is None:
        raise InputError(f"{name}: no protein within {reach:g} Å of the ligand that RDKit can read")
    molecule.GetConformer().SetPositions(np.ascontiguousarray(positions[chosen]))
    return prolif.Molecule.from_rdkit(molecule)


def _protein_lines(text: str, complex: Complex) -> list[str]:
    """Atom records of a PDB file without water and the ligand."""
    atoms = list(complex.topology.atoms())
    left_out = {atoms[complex.ligand[0]].residue.name, *WATER}
    return [
        line
        for line in text.splitlines(keepends=True)
        if line.startswith(("ATOM", "HETATM")) and line[17:20].strip() not in left_out
    ]


def _superposed(lines: list[str], name: str, complex: Complex) -> Array:
    """Positions (N, 3) of atom records in Å, their Cα atoms superposed on the complex's."""
    atoms = list(complex.topology.atoms())
    positions = np.array([[float(line[k : k + 8]) for k in (30, 38, 46)] for line in lines])
    places = {_place(line): k for k, line in enumerate(lines) if line[12:16].strip() == "CA"}
    alphas = [atoms[k].residue for k in complex.backbone[:, 1]]
    own = [(r.chain.id, r.id + r.insertionCode.strip()) for r in alphas]
    if missing := [residue for residue, key in zip(alphas, own, strict=True) if key not in places]:
        raise InputError(f"{name}: no CA of {describe(missing[0])}, which {complex.name} has")
    moving = positions[[places[key] for key in own]]
    target = to_angstrom(complex.positions[complex.backbone[:, 1]])
    rotation, translation = superpose(moving[None], target)
    superposed: Array = positions @ rotation[0] + translation[0]
    return superposed


def _place(line: str) -> tuple[str, str]:
    """Chain and number, with the insertion code, of a PDB file's atom."""
    return line[21].strip(), line[22:27].strip()


def _text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def occupancies(protein: prolif.Molecule, molecule: Chem.Mol, snapshots: ArrayLike) -> Occupancies:
    """Compute the share of snapshots in which each interaction occurs.

    Parameters
    ----------
    protein : prolif.Molecule
        From `pocket_molecule`.
    molecule : Mol
        From `poses.heavy_molecule`; hydrogens are added by RDKit to each snapshot.
    snapshots : array (S, n, 3)
        Heavy atoms, Å, in the protein's frame.
    """
    prolif = _prolif()
    array = checked(snapshots)
    ligands = [
        prolif.Molecule.from_rdkit(Chem.AddHs(posed(molecule, x), addCoords=True)) for x in array
    ]
    fingerprint = prolif.Fingerprint()
    fingerprint.run_from_iterable(ligands, protein, progress=False, n_jobs=1)
    counts: Counter[tuple[str, str]] = Counter()
    for frame in fingerprint.ifp.values():
        counts.update(
            (str(residues[1]), kind) for residues, kinds in frame.items() for kind in kinds
        )
    return {key: count / len(array) for key, count in counts.items()}


def recovery(
    truth: Mapping[tuple[str, str], float], prediction: Mapping[tuple[str, str], float]
) -> dict[str, float]:
    """Compute the recall and the precision of a prediction's interactions.

    Returns
    -------
    dict
        ``interaction_recovery`` Σ min(p, q) / Σ p and ``interaction_precision`` Σ min(p, q) / Σ q
        in %, p the truth's occupancies and q the prediction's; NaN where a sum is 0.
    """
    # fsum: the order of interactions is another one in each process
    common = math.fsum(min(p, prediction.get(key, 0.0)) for key, p in truth.items())
    sums = {"interaction_recovery": truth, "interaction_precision": prediction}
    return {
        name: 100 * common / total if (total := math.fsum(side.values())) else float("nan")
        for name, side in sums.items()
    }
