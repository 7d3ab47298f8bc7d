"""What VMD keeps of a molecule, as far as plugins/vmd asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import mdtraj
import numpy as np
from openmm import app, unit

from openmm_neuralmd.structure.residues import NUCLEOTIDES, WATER, backbone_of
from vmd_selection import Parser


@dataclass
class Representation:
    """One way a molecule is drawn; it begins with smoothing on, so that a test sees it go off."""

    selection: str = "all"
    style: list[str] = field(default_factory=lambda: ["Lines"])
    colour: list[str] = field(default_factory=lambda: ["Name"])
    material: str = "Opaque"
    smoothing: int = 5
    scale: tuple[float, float] | None = None


class Molecule:
    """Atoms by VMD's keywords, frames (N, 3) in Å, representations; of a PDB file."""

    def __init__(self, file: Path) -> None:
        pdb = app.PDBFile(str(file))
        self.file = file
        self.frames = [np.array(pdb.getPositions(asNumpy=True).value_in_unit(unit.angstrom))]
        self.representations = [Representation()]
        self.centre: list[float] = []
        atoms = list(pdb.topology.atoms())
        residues = [atom.residue for atom in atoms]
        protein = {r.index for r in pdb.topology.residues() if backbone_of(r) is not None}
        hydrogen = np.array([bool(re.fullmatch("[0-9]?H.*", atom.name)) for atom in atoms])
        self.values = {
            "all": np.ones(len(atoms), bool),
            "protein": np.array([r.index in protein for r in residues]),
            "nucleic": np.array([r.name in NUCLEOTIDES for r in residues]),
            "water": np.array([r.name in WATER for r in residues]),
            "noh": ~hydrogen,
            "name": np.array([atom.name for atom in atoms]),
            "resname": np.array([r.name for r in residues]),
            "chain": np.array([r.chain.id for r in residues]),
            "resid": np.array([int(r.id) for r in residues]),
            "insertion": np.array([r.insertionCode or " " for r in residues]),
            "element": np.array([atom.element.symbol for atom in atoms]),
            "residue": np.array([r.index for r in residues]),
            "beta": np.zeros(len(atoms)),
        }

    def append(self, file: Path, first: int, last: int) -> None:
        """Frames of a trajectory after those that are here; OSError or ValueError if it cannot."""
        read = mdtraj.load(str(file), top=str(self.file))
        frames = 10.0 * read.xyz.astype(np.float64)
        self.frames += list(frames[first : None if last == -1 else last + 1])

    def select(self, text: str, frame: int) -> np.ndarray:
        """Mask (N,) of a selection text; SelectionError if VMD would not understand it."""
        return Parser(text, self.values, self.frames[frame]).mask()


@dataclass
class Selection:
    """What `atomselect` makes."""

    molecule: Molecule
    mask: np.ndarray  # (N,)
    frame: int

    @property
    def positions(self) -> np.ndarray:
        return self.molecule.frames[self.frame][self.mask]
