"""jumps.sdf: every pose that a model jumped to, as it was and as it was relaxed, and its fate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem

from ..analysis.poses import posed
from ..errors import InputError
from ..units import to_angstrom

if TYPE_CHECKING:
    from .jumped import Jump

POSES = "jumps.sdf"
STAGES = ("raw", "relaxed")
FARTHEST = 9999.0
"""Å; an SDF has no room for more."""


@dataclass(frozen=True, eq=False)
class JumpedPose:
    """One pose of the file.

    Attributes
    ----------
    snapshot : int
        Of the run, counted from 1.
    stage : 'raw' or 'relaxed'
    kind, reason : str
        What became of the jump, see `Jump`.
    x : (n, 3) float64, Å
        The ligand with its hydrogens.
    """

    snapshot: int
    stage: str
    kind: str
    reason: str
    x: np.ndarray


def pose_blocks(ligand: Chem.Mol, atoms: np.ndarray, jump: Jump, snapshot: int) -> str:
    """The poses of one jump as text of an SDF; one that is torn to pieces is left out.

    Parameters
    ----------
    ligand : Mol
        With hydrogens, in the order of `atoms`.
    atoms : (n,) int64
        Particles of the ligand.
    jump : Jump
    snapshot : int
    """
    blocks = []
    for stage, positions in zip(STAGES, (jump.raw, jump.relaxed), strict=True):
        if positions is None:
            continue
        x = to_angstrom(positions[atoms])
        if not (np.abs(x) < FARTHEST).all():  # nor is nan
            continue
        properties = {
            "snapshot": snapshot,
            "stage": stage,
            "kind": jump.kind,
            "reason": jump.reason,
        }
        lines = "".join(f">  <{key}>\n{value}\n\n" for key, value in properties.items() if value)
        blocks.append(f"{Chem.MolToMolBlock(posed(ligand, x), kekulize=False)}{lines}$$$$\n")
    return "".join(blocks)


def read_poses(path: str | Path) -> Iterator[JumpedPose]:
    """The poses of a hybrid run, in order.

    Raises
    ------
    InputError
        A molecule that cannot be read.

    Examples
    --------
    >>> from openmm_neuralmd.hybrid import HybridSettings, JumpSettings, read_poses, run_hybrid
    >>> from openmm_neuralmd.md import MDSettings
    >>> md = MDSettings(mode="rigid", equilibration_ps=0.1)
    >>> settings = HybridSettings(before=1, md=md, jump=JumpSettings(relax_ps=0.1, interval_ps=0.5))
    >>> run = run_hybrid("neuralmd-ou", folder.path, scratch / "run", 1.0, settings=settings)
    >>> [(pose.snapshot, pose.stage, pose.x.shape) for pose in read_poses(run.poses)]
    [(2, 'raw', (18, 3)), (2, 'relaxed', (18, 3))]
    """
    if not Path(path).stat().st_size:  # RDKit takes an empty file for a missing one
        return
    for number, molecule in enumerate(Chem.SDMolSupplier(str(path), False, False), 1):
        if molecule is None:
            raise InputError(f"{path}: molecule {number} cannot be read")
        properties: Any = molecule.GetPropsAsDict(autoConvertStrings=False)
        x = np.array(molecule.GetConformer().GetPositions())
        fate = properties["kind"], properties.get("reason", "")
        yield JumpedPose(int(properties["snapshot"]), properties["stage"], *fate, x)
